//! One change of windows: decided under their turns, written in one commit, and then remembered.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use outlast_core::{
    AttrName, AttrValue, Attributes, Cause, Claim, Entity, Expect, IdSource, Json, Key, Op, Put,
    Receipt, Result, Status, Subscription, Timestamp, Version, Window, WindowItem, WindowKind,
    WindowStatus,
};
use outlast_store::Draft;

use super::engine::{Engine, claim_id};
use super::open::{Item, Open, dispatch};
use super::options::Acknowledge;
use super::queue::Doubt;
use super::registered::{Registered, most_handed_over};
use super::retry::is_overtaken;
use super::step::{Ending, Step, event_of};
use super::turns::Turns;
use crate::telemetry;

/// A change in the making. Dropped before it is done, or failed, it leaves its slots in doubt: what
/// lies there is then read from the store by whoever comes next.
#[derive(Debug)]
pub(super) struct Work<'a> {
    engine: &'a Engine,
    pub(super) draft: Draft,
    pub(super) now: Timestamp,
    pub(super) steps: Vec<Step>,
    counted: Vec<(Arc<Registered>, u64)>,
    /// Windows for which room was made.
    reserved: usize,
    /// Whether it may have been written.
    is_sent: bool,
    is_done: bool,
}

/// The turns under which a change is made.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) joins: Turns,
    pub(super) batches: Turns,
}

impl Held {
    pub(super) fn of(&mut self, operation: WindowKind) -> &mut Turns {
        match operation {
            WindowKind::Join => &mut self.joins,
            WindowKind::Batch => &mut self.batches,
        }
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(engine: &'a Engine, cause: Cause) -> Self {
        Self {
            engine,
            draft: engine.instance.draft(cause),
            now: engine.now(),
            steps: Vec::new(),
            counted: Vec::new(),
            reserved: 0,
            is_sent: false,
            is_done: false,
        }
    }

    pub(super) fn ids(&self) -> Arc<dyn IdSource> {
        self.engine.store().ids().clone()
    }

    /// How many artifacts a batch may hold.
    pub(super) fn most_handed_over(&self) -> usize {
        most_handed_over(&self.engine.limits)
    }

    /// Counts an artifact that matched.
    pub(super) fn count(&mut self, subscription: &Arc<Registered>, seq: u64) {
        self.counted.push((subscription.clone(), seq));
    }

    /// Writes it all in one commit. `Busy` if there would be too many windows; errors of the
    /// store otherwise. `Conflict` and `Exists` say that the slots were not as remembered: trying
    /// again decides anew, from what is there.
    pub(super) async fn commit(mut self, held: &mut Held) -> Result<Timestamp> {
        self.write()?;
        let (added, taken) = self
            .steps
            .iter()
            .map(Step::balance)
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if added > taken {
            self.engine.load.reserve(added - taken, self.engine.options.most_windows)?;
            self.reserved = added - taken;
        }
        self.is_sent = true;
        let receipt = match self.hand_in().await {
            Err(error) => {
                self.is_sent = !is_overtaken(&error);
                return Err(error);
            }
            Ok(receipt) => receipt,
        };
        self.is_done = true;
        if taken > added {
            self.engine.load.release(taken - added);
        }
        self.remember(held, receipt.as_ref());
        Ok(self.now)
    }

    /// Commits, or with relaxed acknowledgement hands in what leads to no hand-over.
    async fn hand_in(&self) -> Result<Option<Receipt>> {
        let instance = &self.engine.instance;
        let is_relaxed = matches!(self.engine.options.acknowledge, Acknowledge::Relaxed(_));
        if is_relaxed && self.steps.iter().all(|step| step.dispatched().next().is_none()) {
            self.draft.enqueue().await?;
            self.engine.handed_in.notify_one();
            return Ok(None);
        }
        instance.commit(&self.draft).await.map(Some)
    }

    fn write(&mut self) -> Result<()> {
        let (draft, now) = (&mut self.draft, self.now);
        let ids = self.engine.store().ids().clone();
        for step in &self.steps {
            for (open, ending) in &step.ended {
                let mut row = open.row(ending.status());
                match ending {
                    Ending::Dispatched(reason) => {
                        row.dispatch = Some(dispatch(*reason, now, &*ids));
                    }
                    Ending::Cancelled(why) => row.error = Some(why.clone()),
                    Ending::Fed | Ending::Expired => {}
                }
                if row.status.is_settled() {
                    row.finished_at = Some(now);
                }
                write_window(draft, open, &row)?;
                draft.report(&event_of(open, ending)?)?;
            }
            if let Some(open) = &step.rest {
                write_window(draft, open, &open.row(WindowStatus::Waiting))?;
            }
            write_claim(draft, step, now)?;
        }
        for (subscription, seq) in &self.counted {
            let name = AttrName::new(Subscription::SEQUENCE)?;
            let seq = AttrValue::Int(i64::try_from(*seq).unwrap_or(i64::MAX));
            let key = Key::new(Subscription::KIND, &subscription.id)?;
            draft.touch(key, Attributes::from([(name, seq)]));
        }
        Ok(())
    }

    /// Makes what the engine holds what the store holds now.
    fn remember(&mut self, held: &mut Held, receipt: Option<&Receipt>) {
        let epoch = self.engine.store().info().epoch;
        for step in self.steps.drain(..) {
            let armed = step.rest.as_ref().and_then(|open| Some((open.fires_at()?, &open.id)));
            if let Some((window, Some(at))) = &step.held
                && armed != Some((*at, window))
            {
                self.engine.timers.disarm(*at, window);
            }
            let load = &self.engine.load;
            let expired = step.ended.iter().filter(|(_, ending)| *ending == Ending::Expired);
            let expired = expired.count() as u64;
            load.expired.fetch_add(expired, Ordering::Relaxed);
            metrics::counter!(telemetry::WINDOWS_EXPIRED).increment(expired);
            for open in step.dispatched() {
                load.dispatched.fetch_add(1, Ordering::Relaxed);
                if !self.engine.queue.push(self.now, &open.id, Doubt::None) {
                    // It was looked for before it was there, and is counted already.
                    load.release(1);
                }
            }
            let rest = step.rest.map(|mut open| {
                let key = Key::new(Window::KIND, &*open.id).ok();
                let written = key.and_then(|key| receipt?.version(&key));
                open.version = Some(written.unwrap_or_else(|| next(open.version, epoch)));
                for item in &mut open.items {
                    (item.is_stored, item.is_written) = (true, true);
                }
                self.engine.timers.arm(&open, &step.slot);
                open
            });
            if let Some(cells) = held.of(step.operation).cells(&step.slot) {
                cells.settle(step.slot, rest);
            }
        }
        for (subscription, seq) in self.counted.drain(..) {
            let slot = super::turns::Slot::join(&subscription, None);
            if let Some(cells) = held.joins.cells(&slot) {
                cells.count_to(subscription.number, seq);
            }
        }
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        // What is in doubt is counted when it is read again.
        let held = self.steps.iter().filter(|step| step.held.is_some()).count();
        self.engine.load.release(held + self.reserved);
        // What may be being handed over, if it was written after all, is looked for.
        for open in self.steps.iter().filter(|_| self.is_sent).flat_map(Step::dispatched) {
            if self.engine.queue.push(self.now, &open.id, Doubt::Written) {
                self.engine.load.add(1);
            }
        }
    }
}

/// The version that a window gets whose commit was handed in and not waited for.
fn next(version: Option<Version>, epoch: outlast_core::Epoch) -> Version {
    version.map_or(Version::new(epoch, 1), |version| {
        Version::new(version.epoch.max(epoch), version.n + 1)
    })
}

fn write_window(draft: &mut Draft, open: &Open, row: &Window) -> Result<()> {
    match open.version {
        None => draft.create(&open.id, row)?,
        Some(version) => draft.op(replacing(&open.id, Expect::At(version), row)?),
    };
    for item in open.items.iter().filter(|item| !item.is_written) {
        write_item(draft, open, item)?;
    }
    Ok(())
}

fn write_item(draft: &mut Draft, open: &Open, item: &Item) -> Result<()> {
    let (id, row): (String, WindowItem) = (item.row.to_string(), open.item_row(item));
    if item.is_stored {
        draft.op(replacing(&id, Expect::Live, &row)?);
    } else {
        draft.create(&id, &row)?;
    }
    Ok(())
}

fn write_claim(draft: &mut Draft, step: &Step, now: Timestamp) -> Result<()> {
    let id = claim_id(&step.subscription.id, step.operation, step.slot.key.as_deref());
    let claim = |open: &Open| Claim { holder: open.id.to_string(), claimed_at: now };
    match (&step.held, &step.rest) {
        (None, Some(open)) => {
            draft.create(&id, &claim(open))?;
        }
        (Some(_), None) => {
            draft.op(Op::Delete { key: Key::new(Claim::KIND, &id)?, expect: Expect::Live });
        }
        (Some((held, _)), Some(open)) if *held != open.id => {
            draft.op(replacing(&id, Expect::Live, &claim(open))?);
        }
        (None, None) | (Some(_), Some(_)) => {}
    }
    Ok(())
}

/// The operation that writes a value over what is there, for those who know its version and not
/// its content.
pub(super) fn replacing<T: Entity>(id: &str, expect: Expect, value: &T) -> Result<Op> {
    let mut attrs = value.attributes()?;
    if let Some(status) = value.status() {
        attrs.insert(AttrName::status(), AttrValue::from(status.as_str()));
    }
    let key = Key::new(T::KIND, id)?;
    Ok(Op::Put(Put { key, expect, schema: T::SCHEMA, attrs, state: Json::encode(value)? }))
}
