//! Whose turn it is: windows of one key are changed one after another, those of others at once.
//!
//! Open windows lie in stripes, each under a lock that is held from before a change is decided
//! until it is committed; so what lies there is what the store holds. Where it may not be, because
//! a commit was cut off or nobody knows what came of it, the window is taken out and its slot is
//! marked; whoever comes next reads it from the store first.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::open::Open;
use super::registered::Registered;

/// How many stripes there are. Two keys that meet in one wait for each other, no more.
const STRIPES: usize = 512;

/// Where there is at most one open window: a subscription, and a key if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) subscription: usize,
    pub(super) key: Option<Arc<str>>,
    /// Whether all windows of the subscription take turns together, as they must where each
    /// artifact counts for all of them.
    pub(super) is_counted: bool,
}

impl Slot {
    /// The slot of joins with this key.
    pub(super) fn join(subscription: &Registered, key: Option<Arc<str>>) -> Self {
        let is_counted = subscription.count_window().is_some();
        Self { subscription: subscription.number, key, is_counted }
    }

    /// The slot of the batch.
    pub(super) fn batch(subscription: &Registered) -> Self {
        Self { subscription: subscription.number, key: None, is_counted: false }
    }

    fn stripe(&self) -> usize {
        let mut hasher = DefaultHasher::new();
        self.subscription.hash(&mut hasher);
        if !self.is_counted {
            self.key.hash(&mut hasher);
        }
        usize::try_from(hasher.finish() % STRIPES as u64).unwrap_or(0)
    }
}

/// What lies in one stripe.
#[derive(Debug, Default)]
pub(super) struct Cells {
    open: HashMap<Slot, Open>,
    /// Windows that a number of artifacts ends, by the number of their first.
    by_seq: BTreeMap<(usize, u64), Slot>,
    /// How many artifacts matched each counted subscription.
    sequences: HashMap<usize, u64>,
    doubtful: HashSet<Slot>,
    /// How often the store had lost something when these windows were read.
    losses: u64,
}

impl Cells {
    /// Takes the window out. Until it is settled, the slot is in doubt.
    pub(super) fn take(&mut self, slot: &Slot) -> Option<Open> {
        self.doubtful.insert(slot.clone());
        let open = self.open.remove(slot)?;
        if slot.is_counted {
            self.by_seq.remove(&(slot.subscription, open.opened_at_seq));
        }
        Some(open)
    }

    /// Says what the slot holds, which is what the store holds.
    pub(super) fn settle(&mut self, slot: Slot, open: Option<Open>) {
        self.doubtful.remove(&slot);
        if let Some(open) = open {
            if slot.is_counted {
                self.by_seq.insert((slot.subscription, open.opened_at_seq), slot.clone());
            }
            self.open.insert(slot, open);
        }
    }

    pub(super) fn find(&self, slot: &Slot) -> Option<&Open> {
        self.open.get(slot)
    }

    /// Slots of a subscription whose windows are passed when artifact `seq` arrives.
    pub(super) fn passed(&self, subscription: &Registered, seq: u64) -> Vec<Slot> {
        let Some(window) = subscription.count_window() else { return Vec::new() };
        // A window opened at o is passed iff seq - o > window.
        let Some(last) = seq.checked_sub(window).and_then(|end| end.checked_sub(1)) else {
            return Vec::new();
        };
        let number = subscription.number;
        self.by_seq.range((number, 0)..=(number, last)).map(|(_, slot)| slot.clone()).collect()
    }

    pub(super) fn sequence(&self, subscription: usize) -> u64 {
        self.sequences.get(&subscription).copied().unwrap_or(0)
    }

    /// Counts up to at least this.
    pub(super) fn count_to(&mut self, subscription: usize, seq: u64) {
        let known = self.sequences.entry(subscription).or_insert(0);
        *known = seq.max(*known);
    }

    pub(super) fn doubtful(&self) -> Vec<Slot> {
        self.doubtful.iter().cloned().collect()
    }

    /// Takes every window out if the store has lost something since, because none of them may be
    /// what it holds. Says how many there were.
    pub(super) fn doubt_since(&mut self, losses: u64) -> usize {
        if self.losses == losses {
            return 0;
        }
        self.losses = losses;
        let count = self.open.len();
        self.doubtful.extend(self.open.drain().map(|(slot, _)| slot));
        self.by_seq.clear();
        count
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = (&Slot, &Open)> {
        self.open.iter()
    }
}

/// All stripes of joins, or of batches. Who needs both takes those of joins first.
#[derive(Debug)]
pub(super) struct Stripes(Vec<Arc<Mutex<Cells>>>);

impl Default for Stripes {
    fn default() -> Self {
        Self((0..STRIPES).map(|_| Arc::default()).collect())
    }
}

impl Stripes {
    /// Waits for the turns on all these slots. They are taken in one order by everybody, so nobody
    /// waits for somebody who waits for them. Cancel safe.
    pub(super) async fn take<'a>(&self, slots: impl IntoIterator<Item = &'a Slot>) -> Turns {
        let places: BTreeSet<usize> = slots.into_iter().map(Slot::stripe).collect();
        let mut turns = BTreeMap::new();
        for place in places {
            if let Some(stripe) = self.0.get(place) {
                turns.insert(place, stripe.clone().lock_owned().await);
            }
        }
        Turns(turns)
    }

    /// The stripes one after another.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Mutex<Cells>>> {
        self.0.iter()
    }
}

/// The stripes whose turn it is.
#[derive(Debug)]
pub(super) struct Turns(BTreeMap<usize, OwnedMutexGuard<Cells>>);

impl Turns {
    /// The stripe of a slot; none if it was not asked for.
    pub(super) fn cells(&mut self, slot: &Slot) -> Option<&mut Cells> {
        self.0.get_mut(&slot.stripe()).map(|cells| &mut **cells)
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Cells> {
        self.0.values_mut().map(|cells| &mut **cells)
    }
}
