//! Commands: what was under way is orphaned, with its host free again in the same commit.
//!
//! The moves are those of the fleet's own journal, so that the claim on the host, the stage of the
//! pipeline and the event go with them as they do there. A process of this machine that survived
//! its orchestrator is stopped first: once the command is settled, its host may be given another.

use outlast_core::{Action, Actor, Cause, Command, CommandStatus, Result, Status};
use outlast_store::Stored;

use super::policy::Policy;
use super::report::Outcome;
use super::scene::{Recoverable, Scene, Verdict, meaningless};
use crate::fleet::{Commands, Fleet};
use crate::process::Survivor;

const NEVER_SENT: &str = "never sent: the orchestrator restarted";
const RESTARTED: &str = "restarted while running";

impl Recoverable for Command {
    async fn settle(scene: &Scene<'_>, stored: &Stored<Self>, policy: Policy) -> Result<Verdict> {
        match policy {
            Policy::Requeue if can_wait(stored) => requeue(scene, stored).await,
            Policy::Orphan | Policy::Requeue => orphan(scene, stored).await,
            Policy::Deadline => expire(scene, stored).await,
            Policy::Keep => Ok(Verdict::left(Outcome::Unchanged)),
            _ => Err(meaningless(&stored.key, policy)),
        }
    }
}

/// Whether it may be queued again. A pipeline decides for itself what it does again.
fn can_wait(command: &Command) -> bool {
    command.spec.retryable && command.pipeline_id.is_none()
}

/// The journal, under the right to drive the store; without it, recovery only looks.
fn journal(scene: &Scene<'_>, reason: &str) -> Option<Commands> {
    let cause = Cause::by(Actor::Recovery).called(Action::recovery()).because(reason);
    scene.instance.map(|instance| Fleet::driven_by(instance).with_cause(cause).commands())
}

async fn requeue(scene: &Scene<'_>, stored: &Stored<Command>) -> Result<Verdict> {
    if let Some(journal) = journal(scene, NEVER_SENT) {
        journal.requeue(stored.id(), NEVER_SENT).await?;
    }
    Ok(Verdict::done(Outcome::Requeued))
}

async fn orphan(scene: &Scene<'_>, stored: &Stored<Command>) -> Result<Verdict> {
    let was_sent = !matches!(stored.status, CommandStatus::Pending | CommandStatus::Validating);
    let reason = if was_sent { RESTARTED } else { NEVER_SENT };
    if let Some(journal) = journal(scene, reason) {
        let reason = match stop(scene, stored).await?.len() {
            0 => reason.to_owned(),
            1 => format!("{reason}; a process survived and was stopped"),
            count => format!("{reason}; {count} processes survived and were stopped"),
        };
        journal.orphan(stored.id(), &reason).await?;
    }
    Ok(Verdict::done(Outcome::MarkedOrphaned))
}

async fn expire(scene: &Scene<'_>, stored: &Stored<Command>) -> Result<Verdict> {
    let Some(deadline) = stored.deadline() else {
        // In the queue it may wait for ever.
        let is_stuck = stored.status == CommandStatus::AwaitingReconnect;
        let problem = || format!("it is {} without a deadline", stored.status.as_str());
        return Ok(Verdict::left(Outcome::Unchanged).with(is_stuck.then(problem)));
    };
    if deadline > scene.now() {
        return Ok(Verdict::left(Outcome::Unchanged));
    }
    if let Some(journal) = journal(scene, "its deadline passed while no orchestrator ran") {
        journal.due(stored.id()).await?;
    }
    Ok(Verdict::done(Outcome::Expired))
}

/// Ends what still runs of it, and returns once nothing does.
async fn stop(scene: &Scene<'_>, stored: &Stored<Command>) -> Result<Vec<u32>> {
    let Some(leader) = &stored.process else { return Ok(Vec::new()) };
    match Survivor::find(leader, stored.id()).await? {
        Some(survivor) => Ok(survivor.stop(scene.options.grace).await?.asked),
        None => Ok(Vec::new()),
    }
}
