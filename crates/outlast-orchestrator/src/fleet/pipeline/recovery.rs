//! What is done about a pipeline that was under way when its orchestrator ended.
//!
//! Each command is settled in a commit of its own, which moves its stage on too, after nothing of
//! its process is left. Cut off in between, the same is found again, less what was done.

use std::pin::pin;

use futures_util::{StreamExt, stream};
use outlast_core::{Command, CommandStatus, ErrorKind, Result, StageOutcome, StageStatus, Status};
use outlast_store::Stored;

use super::board::Place;
use super::conductor::Shared;
use super::state::PipelineState;
use crate::fleet::outcome;
use crate::process::Survivor;

/// How many commands are stopped at the same time. Each may take its grace.
const STOPPED_AT_ONCE: usize = 16;

pub(super) const RESTARTED: &str = "the orchestrator ended while it was under way";

/// Settles every stage that is under way but whose command nobody carries out any more, and says
/// which they were. One whose host is to come back stays.
pub(super) async fn settle_left(shared: &Shared, state: &PipelineState) -> Result<Vec<Place>> {
    let running = state.board().places(Some(StageStatus::Running)).into_iter();
    let running = running.filter_map(|place| Some((place, state.at(place)?.clone())));
    let running: Vec<_> = running.collect();
    let settled = stream::iter(running).map(|(place, outcome)| settle(shared, place, outcome));
    let mut settled = pin!(settled.buffer_unordered(STOPPED_AT_ONCE));
    let mut places = Vec::new();
    while let Some(place) = settled.next().await {
        places.extend(place?);
    }
    places.sort_unstable();
    Ok(places)
}

async fn settle(
    shared: &Shared,
    place: Place,
    outcome: Stored<StageOutcome>,
) -> Result<Option<Place>> {
    let command_id = outcome.command_id.as_deref().unwrap_or_default();
    let command = match outcome.command_id {
        Some(_) => shared.store().kind::<Command>().find(command_id).await?,
        None => None,
    };
    match command {
        Some(command) if command.status == CommandStatus::AwaitingReconnect => return Ok(None),
        Some(command) if !command.status.is_settled() => {
            let reason = stop(shared, &command).await?;
            match shared.commands(Some(&reason)).orphan(command.id(), &reason).await {
                // Somebody else has settled it.
                Err(error) if error.kind() == ErrorKind::IllegalTransition => {}
                orphaned => orphaned.map(drop)?,
            }
        }
        // It was settled by somebody who knows nothing of pipelines, or is gone.
        command => {
            let mut draft = shared.draft(Some(RESTARTED));
            outcome::catch_up(shared.store(), &mut draft, &outcome, command.as_deref()).await?;
            match shared.instance.commit(&draft).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                committed => committed.map(drop)?,
            }
        }
    }
    Ok(Some(place))
}

/// Stops what still runs of a command, and says what is recorded about it.
async fn stop(shared: &Shared, command: &Stored<Command>) -> Result<String> {
    let survivor = match &command.process {
        Some(leader) => Survivor::find(leader, command.id()).await?,
        None => None,
    };
    let Some(survivor) = survivor else { return Ok(RESTARTED.to_owned()) };
    let stopped = survivor.stop(shared.options.grace).await?.asked;
    Ok(match stopped.as_slice() {
        [] => RESTARTED.to_owned(),
        [pid] => format!("{RESTARTED}; process {pid} survived it and was stopped"),
        pids => format!("{RESTARTED}; {} processes survived it and were stopped", pids.len()),
    })
}
