//! Commands: what was under way is orphaned, with its host free again in the same commit.
//!
//! A process of this machine that survived its orchestrator is stopped first: once the command is
//! settled, its host may be given another.

use outlast_core::{Command, CommandStatus, Result, Status, Timestamp};
use outlast_store::Stored;
use serde_json::json;
use std::time::Duration;

use super::policy::Policy;
use super::report::Outcome;
use super::scene::{Recoverable, Scene, Verdict, meaningless, told};
use crate::process::Survivor;

const NEVER_SENT: &str = "never sent: the orchestrator restarted";
const RESTARTED: &str = "restarted while running";
const NOT_BACK: &str = "its host did not come back in time";

impl Recoverable for Command {
    async fn settle(scene: &Scene<'_>, stored: &Stored<Self>, policy: Policy) -> Result<Verdict> {
        match policy {
            Policy::Requeue if stored.spec.retryable => requeue(scene, stored).await,
            Policy::Orphan | Policy::Requeue => orphan(scene, stored).await,
            Policy::Deadline if is_over(stored, scene.now()) => expire(scene, stored).await,
            Policy::Keep | Policy::Deadline => Ok(Verdict::left(Outcome::Unchanged)),
            _ => Err(meaningless(&stored.key, policy)),
        }
    }
}

/// Whether its deadline has passed. One that waits for its host without one would wait for ever.
fn is_over(command: &Command, now: Timestamp) -> bool {
    match command.deadline() {
        Some(deadline) => deadline <= now,
        None => command.status == CommandStatus::AwaitingReconnect,
    }
}

async fn requeue(scene: &Scene<'_>, stored: &Stored<Command>) -> Result<Verdict> {
    let queue = stored.spec.queue_ms.map(Duration::from_millis);
    let next = Command {
        status: CommandStatus::Queued,
        queued_until: queue.map(|queue| scene.now().plus(queue)),
        ..(**stored).clone()
    };
    write(scene, stored, &next, NEVER_SENT, Outcome::Requeued).await
}

async fn orphan(scene: &Scene<'_>, stored: &Stored<Command>) -> Result<Verdict> {
    let was_sent = !matches!(
        stored.status,
        CommandStatus::Queued | CommandStatus::Pending | CommandStatus::Validating
    );
    let survived = stop(scene, stored).await?;
    let reason = if was_sent { RESTARTED } else { NEVER_SENT };
    let error = match survived.as_slice() {
        [] => reason.to_owned(),
        pids => format!("{reason}; {} of its processes survived and were stopped", pids.len()),
    };
    let next = Command {
        status: CommandStatus::Orphaned,
        finished_at: Some(scene.now()),
        error: Some(error.clone()),
        ..(**stored).clone()
    };
    write(scene, stored, &next, &error, Outcome::MarkedOrphaned).await
}

async fn expire(scene: &Scene<'_>, stored: &Stored<Command>) -> Result<Verdict> {
    let next = Command {
        status: CommandStatus::Timeout,
        finished_at: Some(scene.now()),
        error: Some(NOT_BACK.to_owned()),
        ..(**stored).clone()
    };
    write(scene, stored, &next, NOT_BACK, Outcome::Expired).await
}

/// Ends what still runs of it, and returns once nothing does.
async fn stop(scene: &Scene<'_>, stored: &Stored<Command>) -> Result<Vec<u32>> {
    let (Some(leader), true) = (&stored.process, scene.instance.is_some()) else {
        return Ok(Vec::new());
    };
    match Survivor::find(leader, stored.id()).await? {
        Some(survivor) => Ok(survivor.stop(scene.options.grace).await?.asked),
        None => Ok(Vec::new()),
    }
}

async fn write(
    scene: &Scene<'_>,
    stored: &Stored<Command>,
    next: &Command,
    reason: &str,
    outcome: Outcome,
) -> Result<Verdict> {
    let mut draft = scene.draft(reason);
    draft.replace(stored, next)?;
    let claim = format!("host/{}", stored.host_id);
    let problem = scene.give_up(&mut draft, &claim, stored.id()).await?;
    let (op, found, now) = (&stored.spec.op, stored.status.as_str(), next.status.as_str());
    let message = format!("{} ({op}) was {found} and is {now}: {reason}", stored.key);
    let details = json!({
        "command_id": stored.id(), "op": op, "found": found, "pipeline_id": stored.pipeline_id,
    });
    draft.report(&told(&stored.key, message, details).on(&stored.host_id))?;
    Ok(Verdict::change(outcome, draft).with(problem))
}
