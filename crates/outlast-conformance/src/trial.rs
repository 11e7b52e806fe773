//! One case's store, with a clock that stands still and ids that are the same in every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use outlast_core::{
    Backend, Batch, Capability, Cause, Clock, CommitId, ErrorKind, Expect, HistoryQuery, IdSource,
    Key, ManualClock, Op, OpenOptions, Outcome, Query, REMEMBERED_FOR, Receipt, Record, Revision,
    Scope, Slot, StreamQuery, Timestamp, Version, Versioned,
};
use outlast_store::{Store, StoreOptions};
use uuid::Uuid;

use crate::snapshot::{Snapshot, walk_changes, walk_history, walk_list, walk_stream};
use crate::{Harness, Site};

/// Where a case happens: a fresh store at a place of its own.
pub struct Trial {
    pub(crate) site: Box<dyn Site>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ids: Arc<CountedIds>,
}

/// Just within the time that a commit id is remembered for certain.
pub(crate) const ALMOST_FORGOTTEN: Duration = REMEMBERED_FOR.saturating_sub(Duration::from_secs(1));

/// The moment every trial begins at, in microseconds: early on 14 March 2026.
const BEGIN: i64 = 1_773_450_000_000_000;

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial").field("store", &self.store.info().location).finish_non_exhaustive()
    }
}

/// Ids that carry the time of a clock and count up.
#[derive(Debug)]
pub(crate) struct CountedIds {
    clock: Arc<ManualClock>,
    count: AtomicU64,
}

impl IdSource for CountedIds {
    fn uuid(&self) -> Uuid {
        let millis = self.clock.now().as_millis().unsigned_abs();
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let bits = (u128::from(millis) << 80) | (0x7 << 76) | (0b10 << 62) | u128::from(count);
        Uuid::from_u128(bits)
    }
}

impl Trial {
    pub(crate) async fn start(harness: &dyn Harness) -> Self {
        let site = harness.site().await.expect("a place for a store");
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(BEGIN)));
        let ids = Arc::new(CountedIds { clock: clock.clone(), count: AtomicU64::new(1) });
        let backend = site.open(&OpenOptions::default()).await.expect("a fresh store");
        let store = Self::store_over(backend, &clock, &ids);
        Self { site, store, clock, ids }
    }

    pub(crate) fn store_over(
        backend: Arc<dyn Backend>,
        clock: &Arc<ManualClock>,
        ids: &Arc<CountedIds>,
    ) -> Store {
        let options = StoreOptions {
            clock: clock.clone(),
            ids: ids.clone(),
            deadline: Duration::from_secs(30),
            ..StoreOptions::default()
        };
        Store::open(backend, options)
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &**self.store.backend()
    }

    pub(crate) fn can(&self, capability: Capability) -> bool {
        self.store.info().can(capability)
    }

    /// Closes the store and opens it again.
    pub(crate) async fn reopen(&mut self) {
        self.store.close().await.expect("closing");
        self.open_again().await;
    }

    /// Drops the store without closing it and opens it again.
    pub(crate) async fn crash(&mut self) {
        let unused: Arc<dyn Backend> = Arc::new(outlast_memory::Memory::new(&*self.ids));
        // The store has to be gone before its place can be opened again.
        self.store = Self::store_over(unused, &self.clock, &self.ids);
        self.open_again().await;
    }

    async fn open_again(&mut self) {
        // What a dropped store left running may hold its lock a moment longer.
        for _ in 0..200 {
            match self.site.open(&OpenOptions::default()).await {
                Ok(backend) => {
                    self.store = Self::store_over(backend, &self.clock, &self.ids);
                    return;
                }
                Err(error) if error.kind() == ErrorKind::Busy => {
                    tokio::time::sleep(Duration::from_millis(25)).await;
                }
                Err(error) => panic!("opening again: {error:?}"),
            }
        }
        panic!("the store stays busy after it was dropped");
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn id(&self) -> CommitId {
        self.ids.commit_id()
    }

    /// A batch of these, a millisecond after the one before.
    pub(crate) fn batch(&self, ops: impl IntoIterator<Item = Op>) -> Batch {
        self.wait(Duration::from_millis(1));
        Batch { ops: ops.into_iter().collect(), ..Batch::new(self.id(), Cause::default()) }
    }

    /// What becomes of a batch that is no error.
    pub(crate) async fn commit(&self, batch: &Batch) -> Outcome {
        self.store.commit(batch.clone()).await.expect("a batch that keeps the rules")
    }

    /// Commits what must apply.
    pub(crate) async fn apply(&self, ops: impl IntoIterator<Item = Op>) -> Receipt {
        self.apply_batch(&self.batch(ops)).await
    }

    pub(crate) async fn apply_batch(&self, batch: &Batch) -> Receipt {
        match self.commit(batch).await {
            Outcome::Applied(receipt) => receipt,
            other => panic!("{batch:?} should apply, not {other:?}"),
        }
    }

    /// Commits what must lose a race, changing nothing.
    pub(crate) async fn conflict(
        &self,
        ops: impl IntoIterator<Item = Op>,
    ) -> (Key, Expect, Option<Version>) {
        let before = self.everything().await;
        let outcome = self.commit(&self.batch(ops)).await;
        assert_eq!(self.everything().await, before, "a conflict changed something");
        match outcome {
            Outcome::Conflict { key, expected, actual } => (key, expected, actual),
            other => panic!("should be a conflict, not {other:?}"),
        }
    }

    /// Commits what must be an error, changing nothing.
    pub(crate) async fn refused(&self, batch: &Batch) -> ErrorKind {
        let before = self.everything().await;
        let outcome = self.store.commit(batch.clone()).await;
        assert_eq!(self.everything().await, before, "a refused batch changed something");
        match outcome {
            Err(error) => error.kind(),
            Ok(outcome) => panic!("{batch:?} should be refused, not {outcome:?}"),
        }
    }

    /// Writes an entity whatever is there.
    pub(crate) async fn write(&self, op: Op) -> Version {
        let key = op.key().cloned().unwrap();
        self.apply([op]).await.version(&key).unwrap()
    }

    pub(crate) async fn slot(&self, key: &Key) -> Slot {
        self.store.get(std::slice::from_ref(key)).await.unwrap().remove(0)
    }

    pub(crate) async fn live(&self, key: &Key) -> Option<Record> {
        self.slot(key).await.live().unwrap()
    }

    pub(crate) async fn record(&self, key: &Key) -> Record {
        self.live(key).await.unwrap_or_else(|| panic!("{key} does not live"))
    }

    /// Every page of a listing.
    pub(crate) async fn list(&self, query: Query) -> Vec<Slot> {
        walk_list(self.backend(), query).await
    }

    /// The ids of every page of a listing.
    pub(crate) async fn ids(&self, query: Query) -> Vec<String> {
        let slots = self.list(query).await.into_iter();
        slots.map(|slot| id_of(&slot).to_owned()).collect()
    }

    pub(crate) async fn versions(&self, key: &Key) -> Vec<Versioned> {
        self.history(HistoryQuery::of(Scope::Entity(key.clone()))).await
    }

    /// Every page of a history, all of it whole.
    pub(crate) async fn history(&self, query: HistoryQuery) -> Vec<Versioned> {
        let found = walk_history(self.backend(), query).await.into_iter();
        found.map(|version| version.expect("an undamaged version")).collect()
    }

    /// The places and contents of every page of a stream, all of it whole.
    pub(crate) async fn entries(&self, query: StreamQuery) -> Vec<(u64, String)> {
        let found = walk_stream(self.backend(), query).await.into_iter();
        let entries = found.map(|entry| entry.expect("an undamaged entry"));
        entries.map(|entry| (entry.seq.0, String::from_utf8(entry.data).unwrap())).collect()
    }

    pub(crate) async fn feed(&self) -> Vec<outlast_core::Change> {
        walk_changes(self.backend(), Revision::ZERO, 10).await.unwrap()
    }

    pub(crate) async fn everything(&self) -> Snapshot {
        Snapshot::of(self.backend()).await
    }
}

/// The id of what a listing gave.
pub(crate) fn id_of(slot: &Slot) -> &str {
    match slot {
        Slot::Live(record) => record.key.id(),
        Slot::Tombstone { key, .. } => key.id(),
        other => panic!("{other:?} is no entity"),
    }
}
