//! Bringing into line what differs. That is no proof: the comparison after it is.
//!
//! A version is never overwritten. Where both stores have something else under one number, what
//! counts is written once more, as a new version, to both.

use std::sync::Arc;

use outlast_core::{
    Action, Backend, Batch, Error, Expect, HistoryQuery, Key, Op, Outcome, Page, PlanContext,
    Prune, PrunePlan, Put, Record, Result, Scope, Slot, Versioned, Written, plan, read_set,
};

use super::apply::apply;
use super::diff::{Class, Mismatch};
use super::dual::Shared;
use super::{Phase, ledger, lineage};

/// How often somebody else may be faster.
const TRIES: u32 = 64;

/// Versions read at once.
const PAGE: u32 = 256;

impl Shared {
    /// Brings one difference into line. Whether that could be done.
    pub(crate) async fn mend(self: &Arc<Self>, mismatch: &Mismatch) -> Result<bool> {
        let key = &mismatch.key;
        match mismatch.class {
            Class::Missing | Class::Lag => {
                self.control().mark([key.clone()]);
                Ok(self.clean(std::slice::from_ref(key)).await)
            }
            Class::History => self.send_history(key).await,
            Class::Entries => self.send_entries(key).await,
            Class::Extra | Class::Ahead => self.take_back(key).await,
            Class::Value | Class::Damaged => self.say_again(key).await,
        }
    }

    /// Sends every version that memory has beneath the head.
    async fn send_history(&self, key: &Key) -> Result<bool> {
        let far = lineage::far(key, self.lineage(&key.kind));
        let mut versions = all_versions(&*self.near, key).await?;
        let Some(record) = versions.pop() else { return Ok(false) };
        let name = |version: Versioned| Versioned { key: far.clone(), ..version };
        let history: Vec<Versioned> = versions.into_iter().map(name).collect();
        let record = Box::new(Versioned { key: far.clone(), ..record });
        let mut writer = self.far.lock().await;
        let op = Op::MergeRecord { record, history };
        let batch = ledger::batch(writer.commit_id(), "repaired", vec![op]);
        match writer.commit(&batch).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == outlast_core::ErrorKind::Diverged => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a stream anew, if memory has what the database has.
    async fn send_entries(&self, stream: &Key) -> Result<bool> {
        if !self.has_history(&stream.kind) {
            return Ok(false);
        }
        let far = lineage::far(stream, self.lineage(&stream.kind));
        {
            let mut writer = self.far.lock().await;
            writer.prune(&PrunePlan { items: vec![Prune::Stream(far)] }).await?;
        }
        self.control().mark([stream.clone()]);
        Ok(self.clean(std::slice::from_ref(stream)).await)
    }

    /// The database has more than memory: memory takes it, and where memory counts, what memory
    /// had is written over it.
    async fn take_back(self: &Arc<Self>, key: &Key) -> Result<bool> {
        let before = self.record_of(key).await?;
        let far = lineage::far(key, self.lineage(&key.kind));
        let mut versions = all_versions(&*self.far.reader()?, &far).await?;
        let Some(record) = versions.pop() else { return Ok(false) };
        let expect = Expect::At(record.version);
        let record = Box::new(Versioned { key: key.clone(), ..record });
        {
            let _turn = self.turn.lock().await;
            let op = Op::MergeRecord { record, history: Vec::new() };
            let batch = ledger::batch(self.far.ids.commit_id(), "repaired", vec![op]);
            apply(&*self.near, &*self.far.clock, &batch).await?;
        }
        if self.control().phase(&key.kind) >= Phase::Live {
            return Ok(true);
        }
        let op = match before {
            Some(record) => put(record, expect),
            None => Op::Delete { key: key.clone(), expect },
        };
        self.commit(op).await
    }

    /// Writes what counts once more, as a new version.
    async fn say_again(self: &Arc<Self>, key: &Key) -> Result<bool> {
        let far = lineage::far(key, self.lineage(&key.kind));
        let slot = self.far.reader()?.get(&[far]).await?.pop().unwrap_or(Slot::Vacant);
        let there = match lineage::slot(slot) {
            Slot::Live(record) => Some(*record),
            _ => None,
        };
        let here = self.record_of(key).await?;
        // What was written meanwhile stays.
        let expect = here.as_ref().map_or(Expect::Absent, |here| Expect::At(here.version));
        let counts =
            if self.control().phase(&key.kind) >= Phase::Live { there.or(here) } else { here };
        match counts {
            Some(record) => self.commit(put(record, expect)).await,
            None => Ok(false),
        }
    }

    async fn record_of(&self, key: &Key) -> Result<Option<Record>> {
        let slot = self.near.get(std::slice::from_ref(key)).await?.pop();
        slot.map(Slot::live).transpose().map(Option::flatten)
    }

    /// Commits one operation to both stores, as any caller would.
    pub(crate) async fn commit(self: &Arc<Self>, op: Op) -> Result<bool> {
        let mut batch: Batch = ledger::batch(self.far.ids.commit_id(), "repaired", vec![op]);
        batch.cause.action = Some(Action::update());
        for _ in 0..TRIES {
            let view =
                Backend::fetch(&super::Dual { shared: self.clone() }, &read_set([&batch])).await?;
            let info = self.info();
            let context = PlanContext {
                now: self.far.clock.now(),
                epoch: info.epoch,
                durability: info.durability,
            };
            let mut planned = plan(view, [&batch], &context);
            match planned.outcomes.pop().unwrap_or_else(|| Err(Error::internal("no plan")))? {
                Outcome::Conflict { .. } => return Ok(false),
                Outcome::Applied(_) | Outcome::Replayed(_) => {}
            }
            if planned.set.is_empty() {
                return Ok(true);
            }
            if let Written::Applied(_) = self.write(&planned.set).await? {
                return Ok(true);
            }
        }
        Err(Error::busy(format!("others committed first {TRIES} times")))
    }
}

fn put(record: Record, expect: Expect) -> Op {
    let Record { key, schema, state, attrs, .. } = record;
    Op::Put(Put { key, expect, schema, attrs, state })
}

async fn all_versions(backend: &dyn Backend, key: &Key) -> Result<Vec<Versioned>> {
    let scope = Scope::Entity(key.clone());
    let mut query = HistoryQuery { page: Page::first(PAGE), ..HistoryQuery::of(scope) };
    let mut versions = Vec::new();
    loop {
        let page = backend.history(&query).await?;
        versions.extend(page.items.into_iter().flatten());
        let Some(next) = page.next else { return Ok(versions) };
        query.page = query.page.after(next);
    }
}
