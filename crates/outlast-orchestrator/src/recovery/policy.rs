//! What may be done about an entity that a restart found unfinished.

use std::fmt;
use std::str::FromStr;

use outlast_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// What recovery does about the entities in one cell of the [`Table`](super::Table).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It is over and is not looked at. Just what every settled state has.
    Skip,
    /// It stays as it is. If it has a deadline, the timer of its engine goes by that.
    Keep,
    /// It is active again, and is to be compared with what it was asked to be.
    Activate,
    /// It has failed.
    Fail,
    /// Nobody knows what came of it, and somebody should look.
    Orphan,
    /// It was never sent: if it may be done twice it waits in the queue, else it is orphaned.
    Requeue,
    /// What its deadline says happens now if that has passed, and later if not.
    Deadline,
    /// Its engine takes it up where it was.
    Resume,
    /// What the entity itself asks for.
    Own,
    /// It is interrupted.
    Interrupt,
    /// It is interrupted, and a new attempt waits for its turn.
    Restart,
}

impl Policy {
    /// Every policy.
    pub const ALL: &'static [Self] = &[
        Self::Skip,
        Self::Keep,
        Self::Activate,
        Self::Fail,
        Self::Orphan,
        Self::Requeue,
        Self::Deadline,
        Self::Resume,
        Self::Own,
        Self::Interrupt,
        Self::Restart,
    ];

    /// The word it is configured by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Keep => "keep",
            Self::Activate => "activate",
            Self::Fail => "fail",
            Self::Orphan => "orphan",
            Self::Requeue => "requeue",
            Self::Deadline => "deadline",
            Self::Resume => "resume",
            Self::Own => "own",
            Self::Interrupt => "interrupt",
            Self::Restart => "restart",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Policy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.iter().find(|policy| policy.as_str() == text).copied();
        known.ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|policy| policy.as_str()).collect();
            Error::invalid(format!("recovery policy {text:?} is not one of {}", all.join(", ")))
        })
    }
}
