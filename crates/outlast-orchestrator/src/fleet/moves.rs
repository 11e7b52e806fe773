//! The moves of a command from when it has its host to when its work is over.

use std::time::Duration;

use outlast_core::{Command, CommandStatus, Error, EventLevel, OpSpec, ProcessIdentity, Result};
use outlast_store::Stored;

use super::begin::plain;
use super::commands::{Change, Commands};
use super::completion::KillSignal;
use super::report;

impl Commands {
    /// Begins the check whether the command may be sent: pending to validating.
    pub async fn validate(&self, id: &str) -> Result<Stored<Command>> {
        self.change(id, |command, _| Ok(Change::silent(plain(command, CommandStatus::Validating)?)))
            .await
    }

    /// Records that the command is sent, with its process if it is one of this machine: validating
    /// to executing. From now on count the times of its operation, up to moments that are recorded.
    ///
    /// Whoever starts a process records it before it may run anything.
    pub async fn execute(
        &self,
        id: &str,
        process: Option<ProcessIdentity>,
    ) -> Result<Stored<Command>> {
        self.change(id, |command, now| {
            let timeout_at = now.plus(Duration::from_millis(command.spec.timeout_ms));
            let warning_at = now.plus(Duration::from_millis(command.spec.warning_ms));
            let next = Command {
                started_at: command.started_at.or(Some(now)),
                warning_at: Some(warning_at.min(timeout_at)),
                timeout_at: Some(timeout_at),
                process: process.clone(),
                ..plain(command, CommandStatus::Executing)?
            };
            let message = format!("{} was sent to host {}", next.spec.op, next.host_id);
            Ok(self.told(command, next, EventLevel::Info, message))
        })
        .await
    }

    /// Gives a command more minutes, counted from where its time ended, not from now: it is
    /// executing again, and warned about and over its time so much later than before.
    ///
    /// `Invalid` if it would be over its time even so, saying how many minutes are needed.
    pub async fn extend(&self, id: &str, minutes: u32) -> Result<Stored<Command>> {
        let by = Duration::from_mins(minutes.into());
        self.change(id, |command, now| {
            let mut next = match command.status {
                CommandStatus::Executing => (**command).clone(),
                _ => plain(command, CommandStatus::Executing)?,
            };
            // From validating it is execute that leads there.
            let Some(timeout_at) = command.timeout_at else {
                let key = &command.key;
                return Err(Error::invalid(format!(
                    "{key} was not sent: it has no time to extend"
                )));
            };
            next.timeout_at = Some(timeout_at.plus(by));
            next.warning_at = command.warning_at.map(|at| at.plus(by));
            if minutes == 0 || timeout_at.plus(by) <= now {
                let needed = now.since(timeout_at).as_secs() / 60 + 1;
                return Err(Error::invalid(format!(
                    "{} was to end at {timeout_at}: {minutes} more minutes do not help it, give \
                     at least {needed}",
                    command.key
                )));
            }
            let message = format!("{} was given {minutes} more minutes", next.spec.op);
            Ok(self.told(command, next, EventLevel::Info, message))
        })
        .await
    }

    /// Begins to kill a command, or goes on harder: whoever carries it out sends the signal. Asked
    /// for what was sent already, nothing changes.
    pub async fn kill(&self, id: &str, signal: KillSignal) -> Result<Stored<Command>> {
        self.change(id, |command, now| {
            let is_killing = command.status == CommandStatus::Killing;
            if is_killing && KillSignal::of(command) >= Some(signal) {
                return Ok(Change::Stay);
            }
            let next = if is_killing {
                (**command).clone()
            } else {
                plain(command, CommandStatus::Killing)?
            };
            let next = Command {
                kill_initiated_at: command.kill_initiated_at.or(Some(now)),
                kill_signal: Some(signal.as_str().to_owned()),
                ..next
            };
            let message = format!("{} is sent SIG{}", next.spec.op, signal.as_str());
            Ok(self.told(command, next, EventLevel::Warn, message))
        })
        .await
    }

    /// Records that the work is done as far as it can be seen, and that its host has to come back:
    /// until when is counted from now by its operation, or is the usual time. The host stays taken.
    pub async fn await_reconnect(
        &self,
        id: &str,
        exit_code: Option<i32>,
    ) -> Result<Stored<Command>> {
        self.change(id, |command, now| {
            let within = command.spec.reconnect_ms.map(Duration::from_millis);
            let reconnect_by = now.plus(within.unwrap_or(OpSpec::RECONNECT));
            let next = Command {
                reconnect_by: Some(reconnect_by),
                exit_code: exit_code.or(command.exit_code),
                ..plain(command, CommandStatus::AwaitingReconnect)?
            };
            let message = format!("host {} has to be back by {reconnect_by}", next.host_id);
            Ok(self.told(command, next, EventLevel::Info, message))
        })
        .await
    }

    pub(super) fn told(
        &self,
        command: &Stored<Command>,
        next: Command,
        level: EventLevel,
        message: String,
    ) -> Change {
        let event = report::event(&self.writer.cause, &command.key, &next, level, message);
        Change::to(next, event)
    }
}
