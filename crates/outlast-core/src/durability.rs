//! How much an acknowledgement promises.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a write survives once it is acknowledged. Ordered: a later one promises more.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Accepted into a bounded queue; whether it is applied is learned from `sync`.
    Enqueued,
    /// Visible to every reader; lost with the process.
    #[default]
    Volatile,
    /// Survives a crash of the process, of the machine, and loss of power.
    Durable,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enqueued => "enqueued",
            Self::Volatile => "volatile",
            Self::Durable => "durable",
        })
    }
}
