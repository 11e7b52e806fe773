//! How a task ended, and what is recorded about it.

use outlast_core::{Error, Task, TaskStatus, Timestamp};

use super::orders::Reason;
use crate::process::Exit;

/// The longest error that is kept with a task, in bytes. An error may quote a whole command.
const MAX_ERROR_BYTES: usize = 4096;

/// How a task ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// By itself.
    Exited(Exit),
    /// It was stopped.
    Stopped(Reason, Exit),
    /// It was never let go.
    Unstarted(Reason),
    /// It could not be started, watched or stopped.
    Broken(Error),
}

impl Ending {
    /// The task, ended so.
    pub(super) fn of(&self, task: &Task, at: Timestamp) -> Task {
        let exit = match self {
            Self::Exited(exit) | Self::Stopped(_, exit) => Some(*exit),
            Self::Unstarted(_) | Self::Broken(_) => None,
        };
        Task {
            status: self.status(),
            finished_at: Some(at),
            exit_code: exit.and_then(|exit| exit.code),
            signal: exit.and_then(|exit| exit.signal),
            error: self.error(),
            ..task.clone()
        }
    }

    fn status(&self) -> TaskStatus {
        match self {
            Self::Exited(exit) if exit.is_success() => TaskStatus::Completed,
            Self::Exited(_) | Self::Broken(_) => TaskStatus::Failed,
            Self::Stopped(..) | Self::Unstarted(_) => TaskStatus::Interrupted,
        }
    }

    /// Why it did not complete.
    pub(super) fn error(&self) -> Option<String> {
        match self {
            Self::Exited(exit) if exit.is_success() => None,
            Self::Exited(Exit { signal: Some(signal), .. }) => {
                Some(format!("ended by signal {signal}"))
            }
            Self::Exited(exit) => Some(format!("exit code {}", exit.code.unwrap_or_default())),
            Self::Stopped(reason, _) | Self::Unstarted(reason) => Some(reason.to_string()),
            Self::Broken(error) => Some(text(error)),
        }
    }
}

/// The error with what caused it, at a bearable length.
fn text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text.truncate(text.floor_char_boundary(MAX_ERROR_BYTES));
    text
}
