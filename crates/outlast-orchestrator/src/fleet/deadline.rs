//! What time alone does to commands.

use outlast_core::{Command, CommandStatus, EventLevel, Result, Timestamp};
use outlast_store::Stored;

use super::commands::{Change, Commands};
use super::completion::Settlement;

impl Commands {
    /// Does what is due to one command at present, if anything: a warning, the end of its time,
    /// the end of its wait for its host, each in a commit of its own and once.
    pub async fn due(&self, id: &str) -> Result<Stored<Command>> {
        loop {
            let command = self.change(id, |command, now| Ok(self.overdue(command, now))).await?;
            if command.deadline().is_none_or(|deadline| deadline > self.writer.now()) {
                return Ok(command);
            }
        }
    }

    fn overdue(&self, command: &Stored<Command>, now: Timestamp) -> Change {
        let is_due = command.deadline().is_some_and(|deadline| deadline <= now);
        let op = &command.spec.op;
        match command.status {
            CommandStatus::Executing if is_due => {
                let next = moved(command, CommandStatus::RunningWarning);
                let message = format!("{op} takes longer than expected");
                self.told(command, next, EventLevel::Warn, message)
            }
            CommandStatus::RunningWarning if is_due => {
                let next = moved(command, CommandStatus::TimeoutPending);
                let message = format!("{op} is over its time: extend, kill or skip it");
                self.told(command, next, EventLevel::Error, message)
            }
            CommandStatus::AwaitingReconnect if is_due => {
                let late = "its host did not come back in time";
                self.ended(command, &timeout(late, "reconnect_timeout"), now)
            }
            CommandStatus::Queued if is_due => {
                let late = "its host was not there in time";
                self.ended(command, &timeout(late, "queue_expired"), now)
            }
            _ => Change::Stay,
        }
    }
}

fn moved(command: &Command, status: CommandStatus) -> Command {
    Command { status, ..command.clone() }
}

fn timeout(error: &str, code: &str) -> Settlement {
    Settlement::of(CommandStatus::Timeout).because(error).coded(code)
}
