//! The stage of a pipeline follows its command, in the same commit.

use outlast_core::{
    Command, CommandStatus, Error, ErrorKind, Result, StageOutcome, StageStatus, Status, Timestamp,
};
use outlast_store::{Draft, Store, Stored};

/// Moves the outcome row of a command's stage to what became of the command, if it is the one the
/// row waits for. A row that is there no more, or is settled, stays as it is.
pub(super) async fn follow(
    store: &Store,
    draft: &mut Draft,
    command_id: &str,
    command: &Command,
) -> Result<()> {
    let (Some(pipeline_id), Some(stage)) = (&command.pipeline_id, command.stage) else {
        return Ok(());
    };
    let Some(status) = ended(command.status) else { return Ok(()) };
    let id = StageOutcome::id_of(pipeline_id, stage, &command.host_id);
    let Some(outcome) = store.kind::<StageOutcome>().find(&id).await? else { return Ok(()) };
    let is_its_own = outcome.command_id.as_deref() == Some(command_id);
    if is_its_own && outcome.status == StageStatus::Running {
        let next = StageOutcome {
            status,
            finished_at: command.finished_at,
            exit_code: command.exit_code,
            error: command.error.clone(),
            ..(*outcome).clone()
        };
        draft.replace(&outcome, &next)?;
    }
    Ok(())
}

/// The outcome row that a stage's command is to begin for. `NotFound` if there is none,
/// `IllegalTransition` if it is not pending.
pub(super) async fn pending(
    store: &Store,
    pipeline_id: &str,
    stage: u32,
    host_id: &str,
) -> Result<Stored<StageOutcome>> {
    let id = StageOutcome::id_of(pipeline_id, stage, host_id);
    let outcome = store.kind::<StageOutcome>().get(&id).await?;
    if outcome.status == StageStatus::Pending {
        return Ok(outcome);
    }
    let status = outcome.status.as_str();
    Err(Error::new(
        ErrorKind::IllegalTransition,
        format!("{} cannot begin: it is {status}", outcome.key),
    ))
}

/// Moves it to running.
pub(super) fn begin(
    draft: &mut Draft,
    outcome: &Stored<StageOutcome>,
    command_id: &str,
    now: Timestamp,
) -> Result<()> {
    let next = StageOutcome {
        status: StageStatus::Running,
        command_id: Some(command_id.to_owned()),
        started_at: Some(now),
        ..(**outcome).clone()
    };
    draft.replace(outcome, &next).map(drop)
}

/// What a settled command makes of its stage.
fn ended(status: CommandStatus) -> Option<StageStatus> {
    match status {
        CommandStatus::Success => Some(StageStatus::Success),
        CommandStatus::Cancelled => Some(StageStatus::Cancelled),
        status if status.is_settled() => Some(StageStatus::Failed),
        _ => None,
    }
}
