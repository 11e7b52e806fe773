//! How long what is over is kept: one table, each row of which can be configured.

use std::collections::BTreeMap;
use std::time::Duration;

use outlast_core::{Entity, Error, Result, Status};

const DAY: Duration = Duration::from_hours(24);

/// What, and how long it is kept after it was over.
const AGES: &[(&str, Duration)] = &[
    ("swarm", DAY),
    ("agent", DAY),
    ("session", DAY),
    ("window", DAY.saturating_mul(7)),
    ("artifact", DAY.saturating_mul(7)),
    ("consumption", DAY.saturating_mul(7)),
    ("event", DAY.saturating_mul(7)),
    ("commit", DAY.saturating_mul(7)),
    ("command", DAY.saturating_mul(30)),
    ("pipeline", DAY.saturating_mul(30)),
    ("run", DAY.saturating_mul(30)),
    ("log", DAY.saturating_mul(30)),
];

/// How many checkpoints of one entity are kept.
const CHECKPOINTS: u32 = 10;
/// How many bytes of one task's or command's output.
const LOG_BYTES: u64 = 1 << 30;
/// How many entries of it.
const LOG_ENTRIES: u64 = 1_000_000;

/// How long what is over is kept. What is not over is kept in any case.
///
/// A command goes with its output, a pipeline with its stages, a window with its items, a run with
/// its tasks and their output, a swarm after its agents, and what goes takes its checkpoints with
/// it. `log` bounds the output of those that stay; `commit` is how long the store can say of a
/// change that left nothing behind that it was made.
///
/// ```
/// use std::time::Duration;
/// use outlast_orchestrator::retention::Policies;
///
/// let week = Duration::from_hours(7 * 24);
/// let policies = Policies::default().with_age("command", Some(week))?.with_age("run", None)?;
/// assert_eq!(policies.age("command"), Some(week));
/// assert_eq!(policies.age("run"), None); // never
/// assert!(Policies::default().with_age("host", Some(week)).is_err());
/// # Ok::<(), outlast_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    ages: BTreeMap<&'static str, Option<Duration>>,
    /// How many checkpoints of one entity are kept, the newest. Those that a rollback names are
    /// kept besides.
    pub checkpoints: u32,
    /// How many bytes of output of one task or command that is over are kept, the newest.
    pub log_bytes: Option<u64>,
    /// How many entries of output of one task or command that is over are kept, the newest.
    pub log_entries: Option<u64>,
    pub(super) own: BTreeMap<&'static str, Own>,
}

/// A kind of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    /// The states in which it is over; none if it has no states, and is over once written.
    pub(super) settled: Vec<&'static str>,
    pub(super) has_states: bool,
    pub(super) age: Duration,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            ages: AGES.iter().map(|(what, age)| (*what, Some(*age))).collect(),
            checkpoints: CHECKPOINTS,
            log_bytes: Some(LOG_BYTES),
            log_entries: Some(LOG_ENTRIES),
            own: BTreeMap::new(),
        }
    }
}

impl Policies {
    /// What there is a row for, and its age.
    pub fn ages(&self) -> impl Iterator<Item = (&'static str, Option<Duration>)> + '_ {
        self.ages.iter().map(|(what, age)| (*what, *age))
    }

    /// How long something is kept after it was over; `None` for ever, or if there is no such row.
    pub fn age(&self, what: &str) -> Option<Duration> {
        self.ages.get(what).copied().flatten()
    }

    /// The same with another age in a row; `None` keeps it for ever. `Invalid`, naming the rows,
    /// if there is no such.
    pub fn with_age(mut self, what: &str, age: Option<Duration>) -> Result<Self> {
        let rows: Vec<_> = self.ages.keys().copied().collect();
        let row = self.ages.iter_mut().find(|(row, _)| **row == what);
        let (_, value) = row.ok_or_else(|| {
            let rows = rows.join(", ");
            Error::invalid(format!("there is no retention of {what:?}, only of {rows}"))
        })?;
        *value = age;
        Ok(self)
    }

    /// The same with a kind of one's own, which is kept for ever otherwise. It counts from its
    /// last change, and goes in a settled state only, if it has states. `Invalid` for a kind of
    /// the engines.
    pub fn with_own<T: Entity>(mut self, age: Duration) -> Result<Self> {
        if ENGINES.contains(&T::KIND) {
            return Err(Error::invalid(format!("{} is no kind of your own", T::KIND)));
        }
        let settled = T::Status::ALL.iter().filter(|status| status.is_settled());
        let settled = settled.map(|status| status.as_str()).collect();
        let has_states = !T::Status::ALL.is_empty();
        self.own.insert(T::KIND, Own { settled, has_states, age });
        Ok(self)
    }

    /// The shortest age there is.
    pub(super) fn shortest(&self) -> Option<Duration> {
        let own = self.own.values().map(|own| own.age);
        self.ages.values().copied().flatten().chain(own).min()
    }
}

/// The kinds that belong to the engines.
const ENGINES: &[&str] = &[
    "agent",
    "artifact",
    "checkpoint",
    "claim",
    "command",
    "consumption",
    "host",
    "lease",
    "pipeline",
    "recovery",
    "retention",
    "run",
    "session",
    "stage_outcome",
    "subscription",
    "swarm",
    "task",
    "window",
    "window_item",
];
