//! What came of a command, as whoever carried it out tells it.

use std::fmt;

use outlast_core::{Command, CommandStatus, Status, Timestamp};

/// The longest error that is kept with a command, in bytes.
const MAX_ERROR_BYTES: usize = 4096;

/// The longest word for why a command did not succeed, in bytes.
const MAX_CODE_BYTES: usize = 64;

/// The word of a command that was killed because the orchestrator was shut down.
pub(super) const SHUT_DOWN: &str = "shutdown";

/// How the work of a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// What it ended with, if it ended by itself.
    pub exit_code: Option<i32>,
    /// The number of the signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Why its goal was not reached although it ended well; `None` if it was.
    pub missed: Option<Refusal>,
}

impl Completion {
    /// It ended by itself, and reached its goal if the code is 0.
    pub fn exited(exit_code: i32) -> Self {
        Self { exit_code: Some(exit_code), ..Self::default() }
    }

    /// A signal ended it.
    pub fn signalled(signal: i32) -> Self {
        Self { signal: Some(signal), ..Self::default() }
    }

    /// It ended well, but its goal was not reached.
    pub fn missed(why: Refusal) -> Self {
        Self { exit_code: Some(0), missed: Some(why), ..Self::default() }
    }

    /// Whether it ended by itself with 0.
    pub fn ended_well(&self) -> bool {
        self.exit_code == Some(0)
    }
}

/// Why something was not done: a word for programs and words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The word: `host_offline`, `already_current`, `no_command`.
    pub code: String,
    /// In words.
    pub message: String,
}

impl Refusal {
    /// A refusal under this word.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// How hard a command is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KillSignal {
    /// It is asked to end (SIGTERM).
    Term,
    /// It is ended (SIGKILL).
    Kill,
}

impl KillSignal {
    /// The stored text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Kill => "KILL",
        }
    }

    /// The last signal that a command was or is to be sent.
    pub fn of(command: &Command) -> Option<Self> {
        let sent = command.kill_signal.as_deref()?;
        [Self::Term, Self::Kill].into_iter().find(|signal| signal.as_str() == sent)
    }
}

/// How a host came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reconnection {
    /// As it was to be.
    Renewed,
    /// Half changed: the new commit, but the old binary.
    Suspicious,
    /// As it was.
    Unchanged,
}

/// What is recorded about the end of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settlement {
    pub(super) status: CommandStatus,
    pub(super) exit_code: Option<i32>,
    pub(super) code: Option<String>,
    pub(super) error: Option<String>,
}

impl Settlement {
    pub(super) fn of(status: CommandStatus) -> Self {
        Self { status, exit_code: None, code: None, error: None }
    }

    pub(super) fn because(self, error: &str) -> Self {
        let end = error.floor_char_boundary(MAX_ERROR_BYTES);
        Self { error: error.get(..end).map(str::to_owned), ..self }
    }

    pub(super) fn coded(self, code: &str) -> Self {
        let end = code.floor_char_boundary(MAX_CODE_BYTES);
        Self { code: code.get(..end).map(str::to_owned), ..self }
    }

    pub(super) fn refused(status: CommandStatus, refusal: &Refusal) -> Self {
        Self::of(status).because(&refusal.message).coded(&refusal.code)
    }

    /// What a completion makes of this command. What it was killed for it did not do, unless it
    /// was done before the signal came.
    pub(super) fn completed(command: &Command, completion: &Completion) -> Self {
        use CommandStatus::{Error, Killed, Partial, Success};

        let was_killed = command.kill_initiated_at.is_some();
        let settlement = match (completion, was_killed) {
            (Completion { exit_code: Some(0), missed: None, .. }, _) => Self::of(Success),
            (Completion { exit_code: Some(0), missed: Some(why), .. }, false) => {
                Self::refused(Partial, why)
            }
            (Completion { signal: Some(signal), .. }, killed) => {
                Self::of(if killed { Killed } else { Error })
                    .because(&format!("ended by signal {signal}"))
                    .coded(if killed { "killed" } else { "signalled" })
            }
            (_, true) => Self::of(Killed).because("it was killed").coded("killed"),
            (Completion { exit_code, .. }, false) => match exit_code {
                Some(code) => {
                    Self::of(Error).because(&format!("exit code {code}")).coded("exit_nonzero")
                }
                None => Self::of(Error)
                    .because("nothing is known of how it ended")
                    .coded("execution_failed"),
            },
        };
        Self { exit_code: completion.exit_code, ..settlement }
    }

    /// What the completion of a command that was asked to end with the orchestrator makes of it.
    #[cfg(feature = "process")]
    pub(super) fn shut_down(command: &Command, completion: &Completion) -> Self {
        let settlement = Self::completed(command, completion);
        match settlement.status {
            CommandStatus::Killed => {
                settlement.because("the orchestrator was shut down").coded(SHUT_DOWN)
            }
            _ => settlement,
        }
    }

    /// What a completion makes of a command that was given up: it succeeded or it did not.
    pub(super) fn reconciled(command: &Command, completion: &Completion) -> Self {
        let settlement = Self::completed(command, completion);
        match settlement.status {
            CommandStatus::Success => settlement,
            _ => Self { status: CommandStatus::Error, ..settlement },
        }
    }

    /// The command, settled so. What it says nothing about stays as it was.
    pub(super) fn apply(&self, command: &Command, at: Timestamp) -> Command {
        Command {
            status: self.status,
            finished_at: command.finished_at.or(Some(at)),
            exit_code: self.exit_code.or(command.exit_code),
            code: self.code.clone().or_else(|| command.code.clone()),
            error: self.error.clone().or_else(|| command.error.clone()),
            ..command.clone()
        }
    }

    /// Whether a settled command says the same already.
    pub(super) fn agrees_with(&self, command: &Command) -> bool {
        command.status.is_settled()
            && *command
                == Command {
                    finished_at: command.finished_at,
                    ..self.apply(command, command.created_at)
                }
    }
}
