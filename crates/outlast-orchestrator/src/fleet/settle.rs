//! The ends of a command.
//!
//! Each is one commit: the command, the claim on its host, the stage of its pipeline, the event.

use outlast_core::{Command, CommandStatus, Error, ErrorKind, Result, Status, Timestamp};
use outlast_store::Stored;

use super::commands::{Change, Commands};
use super::completion::{Completion, Reconnection, Refusal, Settlement};
use super::report;

/// Each of these settles a command: it is over, and its host is free. Told again the same, nothing
/// changes and the command is returned as it is; told otherwise, it is an `IllegalTransition`.
impl Commands {
    /// Its work has ended. It succeeded if it ended with 0 and reached its goal, was killed if it
    /// ended otherwise after killing it began, and failed or was partial otherwise.
    pub async fn finish(&self, id: &str, completion: &Completion) -> Result<Stored<Command>> {
        self.settle(id, |command| Settlement::completed(command, completion)).await
    }

    /// Its check refused it, so it was not sent.
    pub async fn block(&self, id: &str, refusal: &Refusal) -> Result<Stored<Command>> {
        self.settle(id, |_| Settlement::refused(CommandStatus::Blocked, refusal)).await
    }

    /// It could not be sent, or whoever was to carry it out refused.
    pub async fn fail(&self, id: &str, refusal: &Refusal) -> Result<Stored<Command>> {
        self.settle(id, |_| Settlement::refused(CommandStatus::Error, refusal)).await
    }

    /// Nobody waits for it any more, whatever comes of it.
    pub async fn skip(&self, id: &str, reason: &str) -> Result<Stored<Command>> {
        self.settle(id, |_| Settlement::of(CommandStatus::Skipped).because(reason)).await
    }

    /// It is called off before it was sent, in the queue too.
    pub async fn cancel(&self, id: &str, reason: &str) -> Result<Stored<Command>> {
        self.settle(id, |_| Settlement::of(CommandStatus::Cancelled).because(reason)).await
    }

    /// Whoever carried it out is gone. What became of it may be told later, to
    /// [`reconcile`](Commands::reconcile).
    pub async fn orphan(&self, id: &str, reason: &str) -> Result<Stored<Command>> {
        self.settle(id, |_| Settlement::of(CommandStatus::Orphaned).because(reason)).await
    }

    /// Its host is back.
    pub async fn reconnected(&self, id: &str, how: Reconnection) -> Result<Stored<Command>> {
        self.settle(id, |_| match how {
            Reconnection::Renewed => Settlement::of(CommandStatus::Success),
            Reconnection::Suspicious => Settlement::of(CommandStatus::Suspicious)
                .because("the host came back half changed")
                .coded("goal_not_achieved"),
            Reconnection::Unchanged => Settlement::of(CommandStatus::StaleBinary)
                .because("the host came back as it was")
                .coded("goal_not_achieved"),
        })
        .await
    }

    /// What became of an orphaned command after all: it succeeded or failed. Nothing else moves an
    /// orphaned command, and this moves no other. When it was given up stays recorded, and the
    /// stage of its pipeline stays failed, or was begun anew.
    pub async fn reconcile(&self, id: &str, completion: &Completion) -> Result<Stored<Command>> {
        self.change(id, |command, now| {
            let settlement = Settlement::reconciled(command, completion);
            if settlement.agrees_with(command) {
                return Ok(Change::Stay);
            }
            if command.status != CommandStatus::Orphaned {
                // What is not orphaned has its own way there, or none.
                return Err(refused(command, settlement.status));
            }
            Ok(self.ended(command, &settlement, now))
        })
        .await
    }

    pub(super) async fn settle(
        &self,
        id: &str,
        decide: impl Fn(&Command) -> Settlement + Send + Sync,
    ) -> Result<Stored<Command>> {
        self.change(id, |command, now| {
            let settlement = decide(command);
            if settlement.agrees_with(command) {
                return Ok(Change::Stay);
            }
            command.status.check_plain_move(settlement.status, &command.key.to_string())?;
            Ok(self.ended(command, &settlement, now))
        })
        .await
    }

    pub(super) fn ended(
        &self,
        command: &Stored<Command>,
        settlement: &Settlement,
        now: Timestamp,
    ) -> Change {
        let next = settlement.apply(command, now);
        let event = report::settled(&self.writer.cause, &command.key, &next);
        Change::to(next, event)
    }
}

fn refused(command: &Stored<Command>, to: CommandStatus) -> Error {
    let (key, from, to) = (&command.key, command.status.as_str(), to.as_str());
    let message = format!("{key} cannot become {to} from {from} by reconciliation: no orphan");
    Error::new(ErrorKind::IllegalTransition, message)
}
