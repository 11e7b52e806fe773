//! What a subscription tells, and how much of it.

use std::collections::BTreeSet;
use std::time::Duration;

use outlast_core::Kind;

use super::Position;

/// Which kinds of entities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Chosen {
    /// Every kind.
    #[default]
    All,
    /// These.
    Only(BTreeSet<Kind>),
}

impl Chosen {
    /// Whether entities of the kind are told.
    pub fn has(&self, kind: &Kind) -> bool {
        match self {
            Self::All => true,
            Self::Only(kinds) => kinds.contains(kind),
        }
    }
}

/// What a subscription tells, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncOptions {
    /// The kinds of entities.
    pub kinds: Chosen,
    /// How many of the last events of the log a snapshot holds, at most 1000. With 0, events are
    /// not told at all.
    pub events: u32,
    /// How many settled commands a snapshot holds, at most 1000: the newest by their ids. Those
    /// that are not settled are there in any case.
    pub commands: u32,
    /// The same of pipelines.
    pub pipelines: u32,
    /// How long ago a settled command or pipeline may have changed last to be in a snapshot.
    pub settled_within: Duration,
    /// How many entities of each kind a snapshot holds at most.
    pub most: u32,
    /// How many bytes of content a snapshot holds at most.
    pub most_bytes: usize,
    /// How many deltas wait for a subscription that is not asked, before it has to begin anew; 1 to
    /// 65 536.
    pub queue: usize,
    /// After how much silence the position is told again; never when absent.
    pub beacon: Option<Duration>,
    /// Where a former subscription ended, to go on from there if the store still can.
    pub resume: Option<Position>,
}

impl Default for SyncOptions {
    /// Every kind and 100 events; of settled commands the newest 50 and of pipelines 20, of the
    /// last hour; at most 10 000 entities of a kind and 64 MiB; a queue of 256 and a beacon after
    /// 30 seconds.
    fn default() -> Self {
        Self {
            kinds: Chosen::All,
            events: 100,
            commands: 50,
            pipelines: 20,
            settled_within: Duration::from_hours(1),
            most: 10_000,
            most_bytes: 64 << 20,
            queue: 256,
            beacon: Some(Duration::from_secs(30)),
            resume: None,
        }
    }
}

impl SyncOptions {
    /// The same, of these kinds alone.
    pub fn only(self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self { kinds: Chosen::Only(kinds.into_iter().collect()), ..self }
    }

    /// The same, going on from where a former subscription ended.
    pub fn resuming(self, position: Position) -> Self {
        Self { resume: Some(position), ..self }
    }
}
