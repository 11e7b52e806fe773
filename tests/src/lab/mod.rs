//! The fault laboratory: what a process did to its files, what a loss of power may have left of
//! it, and which of its calls are to fail.
//!
//! A real process runs under a small library (`lab/interpose.c`) that notes every write, sync,
//! rename and acknowledgement in order. [`disk`] plays the notes back as a disk that may lose
//! whatever was not synced, and [`images`] chooses what it loses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(clippy::missing_panics_doc)]

pub mod disk;
pub mod images;
pub mod process;
pub mod report;
pub mod trace;

/// The number in a variable of the environment.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect(variable))
}

/// The seed of a test: the one in `OUTLAST_SEED`, or a random one.
pub fn seed() -> u64 {
    number("OUTLAST_SEED").unwrap_or_else(|| fastrand::u64(..))
}

/// A backend and the address of a store of it in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// One file.
    Sqlite,
    /// One folder.
    Sled,
}

impl Kept {
    /// As its `info()` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Sled => "sled",
        }
    }

    /// The store in a folder.
    pub fn url(self, folder: &std::path::Path) -> String {
        format!("{}:{}", self.name(), folder.join("ledger").display())
    }
}
