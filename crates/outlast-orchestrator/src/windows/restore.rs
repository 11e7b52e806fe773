//! Going on after a restart: open windows are read page by page, and each either goes on as it
//! was, with what is left of its time, or is brought to the end that it came to meanwhile.
//!
//! Each window is changed in a commit of its own, and only if there is something to change: doing
//! it again changes nothing.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use outlast_core::{
    AttrName, AttrValue, Consumption, Error, Filter, Query, Result, Status, Subscription, Test,
    Window, WindowItem, WindowKind, WindowStatus,
};
use outlast_store::Stored;

use super::due::own_cause;
use super::engine::Engine;
use super::open::{Item, Open};
use super::queue::Doubt;
use super::turns::{Slot, Turns};

/// How many windows are looked at together.
const PAGE: u32 = 200;

/// How many errors are kept.
const MOST_ERRORS: usize = 100;

/// What became of the windows that were open when the store was last left.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// They wait on.
    pub waiting: u64,
    /// Being handed over: they are again, under the same dispatch id.
    pub redelivered: u64,
    /// Complete, but for a subscription that is not declared: they stay until it is.
    pub unclaimed: u64,
    /// Joins that were not complete in time.
    pub expired: u64,
    /// Handed over now.
    pub dispatched: u64,
    /// Nothing of what they held was left.
    pub cancelled: u64,
    /// Their subscription is not declared, or is another now.
    pub orphaned: u64,
    /// They were opened in the future, and wait for their full time once more.
    pub skewed: u64,
    /// Items that were taken out, because an artifact is gone or was consumed by other ways.
    pub removed_items: u64,
    /// What could not be read, by id; it stays as it is.
    pub errors: Vec<(String, Error)>,
    /// How many could not be read.
    pub unreadable: u64,
}

impl Restored {
    /// How many windows it changed.
    pub fn changes(&self) -> u64 {
        self.expired
            + self.dispatched
            + self.cancelled
            + self.orphaned
            + self.skewed
            + self.removed_items
    }

    fn fail(&mut self, id: &str, error: Error) {
        tracing::warn!(window = id, %error, "a window cannot be restored and stays as it is");
        self.unreadable += 1;
        if self.errors.len() < MOST_ERRORS {
            self.errors.push((id.to_owned(), error));
        }
    }
}

/// What is known of the windows of one page.
#[derive(Debug, Default)]
pub(super) struct Around {
    pub(super) items: HashMap<String, Vec<Stored<WindowItem>>>,
    pub(super) artifacts: HashSet<String>,
    /// By artifact.
    pub(super) consumptions: HashMap<String, Vec<Consumption>>,
    /// Who has claimed the place of a window, by the id of the window.
    pub(super) holders: HashMap<String, Option<String>>,
}

impl Around {
    /// Whether an item is still to be handed over.
    fn holds(&self, item: &Item, window: &Window) -> bool {
        item.artifacts.iter().all(|id| {
            let id = id.to_string();
            let consumptions = self.consumptions.get(&id).map_or(&[][..], Vec::as_slice);
            let is_consumed = consumptions.iter().any(|one| {
                one.consumer == window.agent_name
                    && one.subscription.as_ref().is_none_or(|name| *name == window.subscription)
            });
            self.artifacts.contains(&id) && !is_consumed
        })
    }
}

impl Engine {
    /// Records the declared subscriptions, and goes on with every window that is not over.
    pub(super) async fn restore(&self) -> Result<Restored> {
        let mut report = Restored::default();
        self.record_subscriptions().await?;
        let kind = self.store().kind::<Window>();
        let states = [WindowStatus::Waiting, WindowStatus::Dispatching];
        let states = states.iter().map(|status| AttrValue::from(status.as_str())).collect();
        let filter = Filter { name: AttrName::status(), test: Test::AnyOf(states) };
        let mut query = Query { filters: vec![filter], ..kind.query()? };
        query.page.limit = PAGE.min(self.limits.page);
        loop {
            let page = kind.list(&query).await?;
            let mut waiting = Vec::new();
            for found in page.items {
                match found {
                    Ok(window) if window.status == WindowStatus::Waiting => waiting.push(window),
                    Ok(window) => self.redeliver(&window, &mut report),
                    Err(error) if error.is_of_one_record() => report.fail("", error),
                    Err(error) => return Err(error),
                }
            }
            self.resume(waiting, &mut report).await?;
            let Some(next) = page.next else { break };
            query.page = query.page.after(next);
        }
        self.catch_up(&mut report).await?;
        tracing::info!(waiting = report.waiting, changes = report.changes(), "windows restored");
        Ok(report)
    }

    async fn record_subscriptions(&self) -> Result<()> {
        let kind = self.store().kind::<Subscription>();
        for registered in &self.subscriptions {
            let mut draft = self.instance.draft(own_cause());
            match kind.find(&registered.id).await? {
                None => draft.create(&registered.id, &registered.spec)?,
                Some(stored) if *stored == registered.spec => continue,
                Some(stored) => draft.replace(&stored, &registered.spec)?,
            };
            self.instance.commit(&draft).await?;
        }
        for registered in self.subscriptions.iter().filter(|one| one.count_window().is_some()) {
            let seq = self.stored_sequence(registered).await?;
            let slot = Slot::join(registered, None);
            let mut turns = self.turns(WindowKind::Join, std::slice::from_ref(&slot)).await?;
            if let Some(cells) = turns.cells(&slot) {
                cells.count_to(registered.number, seq);
            }
        }
        Ok(())
    }

    fn redeliver(&self, window: &Stored<Window>, report: &mut Restored) {
        let group = Window::group_of(&window.agent_name, &window.subscription);
        if self.subscription(&group).is_none() {
            report.unclaimed += 1;
            return;
        }
        let now = self.now();
        // A try that is still to come was not made; any other may have been.
        // A clock that went back makes nobody wait for longer than the longest pause.
        let latest = now.plus(self.options.most_retry_delay);
        let next = window.deadline().filter(|next| *next > now).map(|next| next.min(latest));
        let doubt = if next.is_none() { Doubt::Tried } else { Doubt::None };
        if self.queue.push(next.unwrap_or(now), &window.id().into(), doubt) {
            self.load.add(1);
        }
        report.redelivered += 1;
    }

    async fn resume(&self, windows: Vec<Stored<Window>>, report: &mut Restored) -> Result<()> {
        match self.around(&windows).await {
            Ok(mut around) => {
                for window in windows {
                    self.resume_one(&window, &mut around, report).await?;
                }
            }
            // One record hides the others: each window is looked at by itself.
            Err(error) if error.is_of_one_record() => {
                for window in windows {
                    match self.around(std::slice::from_ref(&window)).await {
                        Ok(mut around) => self.resume_one(&window, &mut around, report).await?,
                        Err(error) if error.is_of_one_record() => report.fail(window.id(), error),
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn resume_one(
        &self,
        window: &Stored<Window>,
        around: &mut Around,
        report: &mut Restored,
    ) -> Result<()> {
        let items = around.items.remove(window.id()).unwrap_or_default();
        let group = Window::group_of(&window.agent_name, &window.subscription);
        let holder = around.holders.get(window.id()).cloned().flatten();
        let is_holder = holder.as_deref() == Some(window.id());
        let why = match self.subscription(&group) {
            None => "its subscription is not declared",
            Some(known) if known.fingerprint != window.fingerprint => {
                "its subscription asks for something else now"
            }
            Some(_) if !is_holder && !self.claim_again(window, holder.is_none()).await? => {
                "another window took its place"
            }
            Some(subscription) => {
                let mut open = match Open::restored(window, items, subscription) {
                    Err(error) if error.is_of_one_record() => {
                        report.fail(window.id(), error);
                        return Ok(());
                    }
                    restored => restored?,
                };
                let (kept, gone): (Vec<Item>, Vec<Item>) =
                    open.items.into_iter().partition(|item| around.holds(item, window));
                open.items = kept;
                report.removed_items += gone.len() as u64;
                if gone.is_empty() && !open.items.is_empty() {
                    self.adopt(open).await?;
                    report.waiting += 1;
                } else if self.remove(window, open, gone).await? {
                    report.waiting += 1;
                } else {
                    report.cancelled += 1;
                }
                return Ok(());
            }
        };
        self.orphan(window, why, is_holder).await?;
        report.orphaned += 1;
        Ok(())
    }

    /// Puts a window where it is found by what arrives.
    pub(super) async fn adopt(&self, open: Open) -> Result<()> {
        let slot = slot_of(&open);
        let mut turns = self.turns(open.operation, std::slice::from_ref(&slot)).await?;
        self.place(&mut turns, slot, open);
        Ok(())
    }

    /// The same, under the turn of its slot.
    pub(super) fn place(&self, turns: &mut Turns, slot: Slot, open: Open) {
        self.load.add(1);
        self.timers.arm(&open, &slot);
        if let Some(cells) = turns.cells(&slot) {
            if slot.is_counted {
                cells.count_to(slot.subscription, open.opened_at_seq);
            }
            cells.settle(slot, Some(open));
        }
    }

    /// Ends what came to its end meanwhile.
    async fn catch_up(&self, report: &mut Restored) -> Result<()> {
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let before = (count(&self.load.expired), count(&self.load.dispatched));
        report.skewed = self.begin_anew().await?;
        for operation in [WindowKind::Join, WindowKind::Batch] {
            for stripe in self.stripes(operation).iter() {
                let ready: Vec<Slot> = {
                    let cells = stripe.lock().await;
                    let ready = cells.slots().filter(|(slot, open)| {
                        open.is_passed(cells.sequence(slot.subscription)) || self.is_ready(open)
                    });
                    ready.map(|(slot, _)| slot.clone()).collect()
                };
                for slot in ready {
                    self.conclude(operation, &slot).await?;
                }
            }
        }
        self.end_due().await?;
        let (expired, dispatched) = (count(&self.load.expired), count(&self.load.dispatched));
        (report.expired, report.dispatched) = (expired - before.0, dispatched - before.1);
        report.waiting = report.waiting.saturating_sub(report.expired + report.dispatched);
        Ok(())
    }
}

/// Where a window lies.
pub(super) fn slot_of(open: &Open) -> Slot {
    match open.operation {
        WindowKind::Join => Slot::join(&open.subscription, open.key.clone()),
        WindowKind::Batch => Slot::batch(&open.subscription),
    }
}
