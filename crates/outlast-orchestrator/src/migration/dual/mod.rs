//! Two stores as one: memory, which answers, and the database, which remembers.
//!
//! What goes where is decided by [`Control`](super::control::Control); here it is carried out.
//! All writes, moves and settlements take the turn, one after the other. Reads never wait for it.

mod backend;
mod damaged;
mod flag;
mod link;
mod read;
mod repair;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use outlast_core::{Backend, BackendInfo, Epoch, Key, Kind, Timestamp, WriteSet};
use tokio::sync::{Mutex as AsyncMutex, Notify};

use damaged::Damaged;
use flag::Flag;

use super::births::Births;

use super::control::{Control, Course, Effect, Event};
use super::far::Far;
use super::lineage;
use super::migration::Near;
use super::progress::Progress;
use super::shadow::Sampler;

/// How a pair of stores behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long the database may take to answer before it counts as away.
    pub patience: Duration,
    /// How often a database that is away is tried again.
    pub probe: Duration,
    /// How many entities and streams are shipped at once.
    pub batch: usize,
    /// The pause between two shipments of a backfill.
    pub pause: Duration,
    /// One of so many reads is made again from the database and compared; 0 compares none.
    pub sample_every: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(5),
            probe: Duration::from_millis(200),
            batch: 128,
            pause: Duration::ZERO,
            sample_every: 100,
        }
    }
}

/// What was counted since the process started.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) volatile_acks: AtomicU64,
    pub(crate) shipped_rows: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) fenced_writes: AtomicU64,
}

impl Tally {
    pub(crate) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }
}

/// Memory and a database as one store, kind by kind as far as each has moved.
#[derive(Clone)]
pub struct Dual {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) near: Arc<dyn Backend>,
    /// What is told of the pair, as far as it never changes.
    identity: BackendInfo,
    pub(crate) far: Arc<Far>,
    /// Makes another store in memory, for rehearsals.
    spare: Near,
    control: Mutex<Control>,
    /// Whoever writes, moves a kind or settles a doubt has it.
    pub(crate) turn: Arc<AsyncMutex<()>>,
    /// What the database may have.
    kept: Mutex<Option<WriteSet>>,
    pub(crate) births: Births,
    pub(crate) sampler: Sampler,
    pub(crate) pace: Pace,
    pub(crate) tally: Tally,
    /// What changed in a lasting near store before this start, and the database may lack.
    pub(crate) late: Mutex<BTreeSet<Key>>,
    /// A rehearsal is under way.
    pub(crate) rehearsing: AsyncMutex<()>,
    /// Entities that the database could not read when memory was filled from it.
    damaged: Damaged,
    /// Entities that cannot be shipped, and why.
    pub(crate) stuck: Mutex<BTreeMap<Key, String>>,
    /// How far moves have come.
    pub(crate) progress: Mutex<BTreeMap<Kind, Progress>>,
    /// When this process began with it.
    started: Timestamp,
    /// Since when the database has been away.
    pub(crate) away_since: Mutex<Option<Timestamp>>,
    /// Something is behind.
    pub(crate) work: Notify,
    /// Whoever ships waits until something is.
    rests: AtomicBool,
    /// The database is away.
    lost: Notify,
    pub(crate) closed: Flag,
}

impl fmt::Debug for Dual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dual")
            .field("near", &self.shared.near)
            .field("far", &self.shared.far)
            .finish_non_exhaustive()
    }
}

impl Dual {
    /// Puts a database beside a store in memory. Nothing moves by that.
    pub(crate) fn new(
        spare: Near,
        after: Epoch,
        far: Arc<Far>,
        births: Births,
        pace: Pace,
    ) -> Self {
        let near = spare(after);
        let shared = Arc::new(Shared {
            started: far.clock.now(),
            control: Mutex::new(Control::over(near.info().durability)),
            identity: identity(&near.info(), &far),
            near,
            spare,
            far,
            late: Mutex::default(),
            rehearsing: AsyncMutex::default(),
            damaged: Damaged::default(),
            turn: Arc::default(),
            kept: Mutex::default(),
            births,
            sampler: Sampler::every(pace.sample_every),
            pace,
            tally: Tally::default(),
            stuck: Mutex::default(),
            progress: Mutex::default(),
            away_since: Mutex::default(),
            work: Notify::new(),
            rests: AtomicBool::new(false),
            lost: Notify::new(),
            closed: Flag::default(),
        });
        Self { shared }
    }

    /// Another pair over the same database, with a memory of its own and nothing in it.
    pub(crate) fn scratch(of: &Shared) -> Self {
        let epoch = of.near.info().epoch;
        Self::new(of.spare.clone(), epoch, of.far.clone(), of.births.clone(), of.pace)
    }

    /// Starts to ship what is behind and to look after a database that is away. It ends when the
    /// store is closed or dropped.
    pub(crate) fn tend(&self) {
        tokio::spawn(repair::ship(Arc::downgrade(&self.shared)));
        tokio::spawn(link::probe(Arc::downgrade(&self.shared)));
        tokio::spawn(super::shadow::compare(Arc::downgrade(&self.shared)));
    }
}

impl Shared {
    pub(crate) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the machine and gives what it says.
    pub(crate) fn step(&self, event: Event) -> Vec<Effect> {
        let effects = self.control().step(event);
        self.note_link();
        effects
    }

    /// Remembers since when the database has been away.
    fn note_link(&self) {
        let is_up = *self.control().link() == super::control::Link::Up;
        let mut since = self.away_since.lock().unwrap_or_else(PoisonError::into_inner);
        match (is_up, *since) {
            (true, Some(_)) => *since = None,
            (false, None) => {
                *since = Some(self.far.clock.now());
                self.work.notify_waiters();
                self.lost.notify_one();
            }
            _ => {}
        }
    }

    /// Notes what the database cannot read: what it was is asked there.
    pub(crate) fn note_damaged(&self, kind: &Kind, names: BTreeSet<String>) {
        if !names.is_empty() {
            self.damaged.note(kind, names);
        }
    }

    /// Whether the database could not read something of a kind.
    pub(crate) fn has_damage(&self, kind: &Kind) -> bool {
        self.damaged.has(kind)
    }

    /// Whether the database could not read this.
    pub(crate) fn is_damaged(&self, key: &Key) -> bool {
        self.damaged.has(&key.kind)
            && self.damaged.names(&lineage::far(key, self.lineage(&key.kind)))
    }

    /// The lineage a name belongs to in the database.
    pub(crate) fn lineage(&self, kind: &Kind) -> u16 {
        self.control().course(kind).map_or(0, |course| course.lineage)
    }
}

fn identity(near: &BackendInfo, far: &Far) -> BackendInfo {
    BackendInfo {
        name: "dual",
        location: format!("{} and {}", near.location, far.location()),
        capabilities: Vec::new(),
        read_only: false,
        ..near.clone()
    }
}
