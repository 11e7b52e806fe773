//! The way of an artifact through one subscription: into its join or gate, and from there into its
//! batch.

use std::sync::Arc;

use outlast_core::{FlushReason, Result, Timestamp, WindowKind};
use uuid::Uuid;

use super::engine::Engine;
use super::open::{Arriving, Open};
use super::registered::Registered;
use super::step::{Ending, Step, describe};
use super::turns::Slot;
use super::work::{Held, Work};

/// An artifact on its way into one subscription.
pub(super) struct Arrival {
    pub(super) subscription: Arc<Registered>,
    pub(super) type_place: usize,
    /// The key of the join, or why there is none.
    pub(super) key: Result<Option<Arc<str>>, &'static str>,
}

impl Arrival {
    /// Where it waits for others. What waits for no others has a place of its own.
    pub(super) fn slot(&self, artifact: Uuid) -> Slot {
        let is_alone = self.subscription.needed == 1 && self.subscription.spec.join.is_none();
        let key = match &self.key {
            Ok(_) if is_alone => Some(artifact.to_string().into()),
            Ok(key) => key.clone(),
            Err(_) => None,
        };
        Slot::join(&self.subscription, key)
    }
}

/// What comes out of a subscription's gate and goes into its batch.
pub(super) struct Feed {
    pub(super) subscription: Arc<Registered>,
    arriving: Arriving,
}

impl Feed {
    /// Whether it is let into the batch: what came through a gate is, since that was said under
    /// the turn of the gate.
    pub(super) fn may_enter(&self) -> bool {
        self.subscription.is_gated() || !self.subscription.is_ended()
    }
}

impl Engine {
    /// Lets an artifact into the join or the gate of a subscription. What comes out goes into the
    /// batch, if there is one. The outer error says why the artifact is left out.
    pub(super) fn pass_gate(
        &self,
        work: &mut Work<'_>,
        held: &mut Held,
        arrival: &Arrival,
        artifact: Uuid,
    ) -> Result<Result<Option<Feed>>, &'static str> {
        let subscription = &arrival.subscription;
        let slot = arrival.slot(artifact);
        let mut seq = 0;
        if slot.is_counted {
            let cells = held.joins.cells(&slot);
            seq = cells.map_or(0, |cells| cells.sequence(subscription.number)) + 1;
            work.count(subscription, seq);
            expire_passed(work, held, subscription, seq);
        }
        if let Err(why) = &arrival.key {
            return Err(why);
        }
        let arriving = Arriving {
            type_place: Some(arrival.type_place),
            artifacts: Box::new([artifact]),
            at: work.now,
            seq,
        };
        if !subscription.is_gated() {
            return Ok(Ok(Some(Feed { subscription: subscription.clone(), arriving })));
        }
        Ok(self.fill_join(work, held, slot, Feed { subscription: subscription.clone(), arriving }))
    }

    fn fill_join(
        &self,
        work: &mut Work<'_>,
        held: &mut Held,
        slot: Slot,
        feed: Feed,
    ) -> Result<Option<Feed>> {
        let ids = self.store().ids().clone();
        let Feed { subscription, arriving } = feed;
        let (at, seq) = (arriving.at, arriving.seq);
        let key = slot.key.clone().filter(|_| subscription.spec.join.is_some());
        // It was begun already if this very artifact ended the window before.
        let begun = work
            .steps
            .iter()
            .position(|step| step.operation == WindowKind::Join && step.slot == slot);
        let (mut step, open) = match begun {
            Some(place) => (work.steps.remove(place), None),
            None => Step::begin(&mut held.joins, WindowKind::Join, slot, &subscription),
        };
        let open = match open {
            Some(open) if open.is_over(work.now) => {
                step.ended.push((open, Ending::Expired));
                None
            }
            open => open,
        };
        let mut open =
            open.unwrap_or_else(|| Open::new(&subscription, WindowKind::Join, key, &*ids));
        open.push(arriving, &*ids);
        if !open.is_complete() {
            let (count, most) = (open.items.len(), self.options.most_items);
            let what = describe(&open);
            step.rest = Some(open);
            work.steps.push(step);
            if count > most {
                return Err(self.load.refuse(format!(
                    "{what} holds {most} artifacts that wait for others; nothing was published, \
                     try again when some have come or it has ended"
                )));
            }
            return Ok(None);
        }
        Ok(self.complete_join(work, step, open, (at, seq)))
    }

    /// Hands a complete join over, or on into the batch.
    pub(super) fn complete_join(
        &self,
        work: &mut Work<'_>,
        mut step: Step,
        open: Open,
        (at, seq): (Timestamp, u64),
    ) -> Option<Feed> {
        let subscription = step.subscription.clone();
        let (complete, rest) = open.split(&**self.store().ids());
        step.rest = rest;
        let artifacts = complete.in_order();
        let has_batch = subscription.spec.batch.is_some();
        let ending = if has_batch { Ending::Fed } else { Ending::Dispatched(None) };
        step.ended.push((complete, ending));
        work.steps.push(step);
        let arriving = Arriving { type_place: None, artifacts, at, seq };
        has_batch.then_some(Feed { subscription, arriving })
    }
}

/// Ends the windows that are passed now that one more artifact came.
fn expire_passed(work: &mut Work<'_>, held: &mut Held, subscription: &Arc<Registered>, seq: u64) {
    let any = Slot::join(subscription, None);
    let passed = held.joins.cells(&any).map(|cells| cells.passed(subscription, seq));
    for slot in passed.into_iter().flatten() {
        let (mut step, open) = Step::begin(&mut held.joins, WindowKind::Join, slot, subscription);
        step.ended.extend(open.map(|open| (open, Ending::Expired)));
        work.steps.push(step);
    }
}

/// Puts what came out of a gate into its batch, and hands the batch over if it is full or over.
pub(super) fn fill_batch(work: &mut Work<'_>, held: &mut Held, feed: Feed) {
    let (ids, most) = (work.ids(), work.most_handed_over());
    let Feed { subscription, mut arriving } = feed;
    arriving.at = work.now;
    let slot = Slot::batch(&subscription);
    let (mut step, open) = Step::begin(&mut held.batches, WindowKind::Batch, slot, &subscription);
    let open = match open {
        Some(open) if open.is_over(work.now) => {
            step.ended.push((open, Ending::Dispatched(Some(FlushReason::Timeout))));
            None
        }
        open => open,
    };
    let mut open = open.unwrap_or_else(|| Open::new(&subscription, WindowKind::Batch, None, &*ids));
    open.push(arriving, &*ids);
    if open.is_full(most) {
        step.ended.push((open, Ending::Dispatched(Some(FlushReason::Size))));
    } else {
        step.rest = Some(open);
    }
    work.steps.push(step);
}
