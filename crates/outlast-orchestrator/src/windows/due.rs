//! What time alone does: joins expire, batches are handed over.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use outlast_core::{
    Action, Actor, Cause, Event, EventCategory, EventLevel, FlushReason, Key, Result, Timestamp,
    Window, WindowKind,
};
use serde_json::json;

use super::engine::Engine;
use super::gate::fill_batch;
use super::open::Open;
use super::registered::most_handed_over;
use super::retry::decided;
use super::step::{Ending, Step, describe};
use super::timers::Timer;
use super::turns::Slot;
use super::work::{Held, Work};

/// How many windows are ended at once: the store writes them together.
const AT_ONCE: usize = 64;

/// Clocks are corrected by less than this all the time.
const JITTER: Duration = Duration::from_secs(1);

/// The latest moment the engine has seen.
#[derive(Debug, Default)]
pub(super) struct Latest(AtomicI64);

impl Latest {
    /// Whether the clock went back since.
    fn is_after(&self, now: Timestamp) -> bool {
        Timestamp::from_micros(self.0.load(Ordering::Acquire)) > now.plus(JITTER)
    }

    fn see(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::Release);
    }
}

/// How windows are to end, and which of them.
#[derive(Debug)]
pub(super) struct Demand<'a> {
    pub(super) cause: Cause,
    pub(super) ending: Ending,
    /// Only this one.
    pub(super) window: Option<&'a str>,
    /// Only if its time is over.
    pub(super) is_due: bool,
}

impl Demand<'_> {
    fn means(&self, open: &Open, now: Timestamp) -> bool {
        self.window.is_none_or(|id| *open.id == *id) && (!self.is_due || open.is_over(now))
    }
}

/// What the engine does by itself.
pub(super) fn own_cause() -> Cause {
    Cause::by(Actor::System)
}

impl Engine {
    /// Ends every window whose time is over. Says when the next one's is.
    pub(super) async fn end_due(&self) -> Result<Option<Timestamp>> {
        let now = self.now();
        if self.latest.is_after(now) {
            self.begin_anew().await?;
        }
        self.latest.see(now);
        loop {
            let due = self.timers.due(self.now(), AT_ONCE);
            if due.is_empty() {
                return Ok(self.timers.first());
            }
            try_join_all(due.into_iter().map(|timer| self.fire(timer))).await?;
        }
    }

    async fn fire(&self, timer: Timer) -> Result<()> {
        let ending = match timer.operation {
            WindowKind::Join => Ending::Expired,
            WindowKind::Batch => Ending::Dispatched(Some(FlushReason::Timeout)),
        };
        let demand =
            Demand { cause: own_cause(), ending, window: Some(&timer.window), is_due: true };
        if !decided(|| self.end(timer.operation, &timer.slot, &demand)).await? {
            // Somebody else ended it, or its time is another now, for which it has a timer.
            self.timers.disarm(timer.at, &timer.window);
        }
        Ok(())
    }

    /// Ends the window of a slot, if it is one that is meant. Says whether it was.
    pub(super) async fn end(
        &self,
        operation: WindowKind,
        slot: &Slot,
        demand: &Demand<'_>,
    ) -> Result<bool> {
        let mut held = self.held(operation, slot).await?;
        let Some(subscription) = self.subscriptions.get(slot.subscription) else {
            return Ok(false);
        };
        let mut work = Work::new(self, demand.cause.clone());
        let open = held.of(operation).cells(slot).and_then(|cells| cells.find(slot));
        if !open.is_some_and(|open| demand.means(open, work.now)) {
            return Ok(false);
        }
        let (mut step, open) =
            Step::begin(held.of(operation), operation, slot.clone(), subscription);
        step.ended.extend(open.map(|open| (open, demand.ending.clone())));
        work.steps.push(step);
        work.commit(&mut held).await?;
        Ok(true)
    }

    /// Ends what needs nothing more: a join that is complete or passed, a batch that is full.
    pub(super) async fn conclude(&self, operation: WindowKind, slot: &Slot) -> Result<bool> {
        let mut held = self.held(operation, slot).await?;
        let Some(subscription) = self.subscriptions.get(slot.subscription) else {
            return Ok(false);
        };
        let mut work = Work::new(self, own_cause());
        let Some(cells) = held.of(operation).cells(slot) else { return Ok(false) };
        let seq = cells.sequence(slot.subscription);
        let Some(found) = cells.find(slot) else { return Ok(false) };
        let is_passed = found.is_passed(seq);
        if !is_passed && !self.is_ready(found) {
            return Ok(false);
        }
        let (mut step, open) =
            Step::begin(held.of(operation), operation, slot.clone(), subscription);
        let mut feed = None;
        match (open, operation) {
            (Some(open), WindowKind::Join) if is_passed => {
                step.ended.push((open, Ending::Expired));
                work.steps.push(step);
            }
            (Some(open), WindowKind::Join) => {
                let at = (work.now, open.opened_at_seq);
                feed = self.complete_join(&mut work, step, open, at);
            }
            (open, WindowKind::Batch) => {
                let full = Ending::Dispatched(Some(FlushReason::Size));
                step.ended.extend(open.map(|open| (open, full)));
                work.steps.push(step);
            }
            (None, WindowKind::Join) => {}
        }
        if let Some(feed) = feed {
            let slot = Slot::batch(&feed.subscription);
            held.batches = self.turns(WindowKind::Batch, &[slot]).await?;
            fill_batch(&mut work, &mut held, feed);
        }
        work.commit(&mut held).await.map(|_| true)
    }

    /// Whether a window needs nothing more.
    pub(super) fn is_ready(&self, open: &Open) -> bool {
        match open.operation {
            WindowKind::Join => open.is_complete(),
            WindowKind::Batch => open.is_full(most_handed_over(&self.limits)),
        }
    }

    async fn held(&self, operation: WindowKind, slot: &Slot) -> Result<Held> {
        let slots = std::slice::from_ref(slot);
        let (joins, batches) = match operation {
            WindowKind::Join => (slots, [].as_slice()),
            WindowKind::Batch => ([].as_slice(), slots),
        };
        let joins = self.turns(WindowKind::Join, joins).await?;
        Ok(Held { joins, batches: self.turns(WindowKind::Batch, batches).await? })
    }

    /// Gives windows that were opened in the future their full time once more. Says how many.
    pub(super) async fn begin_anew(&self) -> Result<u64> {
        let mut count = 0;
        self.queue.hasten(self.now().plus(self.options.most_retry_delay));
        for operation in [WindowKind::Join, WindowKind::Batch] {
            for stripe in self.stripes(operation).iter() {
                let slots: Vec<Slot> = {
                    let now = self.now();
                    let cells = stripe.lock().await;
                    let skewed = cells.slots().filter(|(_, open)| is_skewed(open, now));
                    skewed.map(|(slot, _)| slot.clone()).collect()
                };
                for slot in slots {
                    let begun = decided(|| self.begin_window_anew(operation, &slot)).await?;
                    count += u64::from(begun);
                }
            }
        }
        Ok(count)
    }

    async fn begin_window_anew(&self, operation: WindowKind, slot: &Slot) -> Result<bool> {
        let mut held = self.held(operation, slot).await?;
        let Some(subscription) = self.subscriptions.get(slot.subscription) else {
            return Ok(false);
        };
        let mut work = Work::new(self, own_cause().called(Action::recovery()));
        let open = held.of(operation).cells(slot).and_then(|cells| cells.find(slot));
        if !open.is_some_and(|open| is_skewed(open, work.now)) {
            return Ok(false);
        }
        let (mut step, open) =
            Step::begin(held.of(operation), operation, slot.clone(), subscription);
        if let Some(mut open) = open {
            work.draft.report(&skew_event(&open, work.now)?)?;
            open.begin(work.now);
            step.rest = Some(open);
        }
        work.steps.push(step);
        work.commit(&mut held).await.map(|_| true)
    }
}

/// Whether a window that time ends was opened after now.
pub(super) fn is_skewed(open: &Open, now: Timestamp) -> bool {
    open.window_end.is_some() && open.created_at > now
}

/// What people are told when a clock went back.
pub(super) fn skew_event(open: &Open, now: Timestamp) -> Result<Event> {
    let what = describe(open);
    let at = open.created_at;
    let message = format!("{what} was opened at {at}, and it is {now}: its time begins anew");
    let event = Event::new(EventCategory::System, EventLevel::Warn, message)
        .called("window:clock_skew")
        .with(json!({ "created_at": at, "window_end": open.window_end, "now": now }));
    Ok(event.about(Key::new(<Window as outlast_core::Entity>::KIND, &*open.id)?))
}
