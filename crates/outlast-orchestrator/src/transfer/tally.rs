//! What was seen so far.

use serde::{Deserialize, Serialize};

/// How much of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Entities, deleted ones included.
    pub entities: u64,
    /// Versions of them.
    pub versions: u64,
    /// Streams, emptied ones included.
    pub streams: u64,
    /// Entries of them.
    pub entries: u64,
}

/// What a transfer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The store is being exported.
    Exporting,
    /// The input is being checked; nothing was written yet.
    Checking,
    /// The input is being imported.
    Importing,
}

/// How far a transfer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// What it is through with.
    pub done: Tally,
    /// What there is, as far as that is known.
    pub total: Option<Tally>,
}

/// Whom to tell of progress: about once per page, and never from more than one place at a time.
pub(super) type Listener<'a> = &'a mut (dyn FnMut(Progress) + Send);
