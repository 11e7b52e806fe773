//! What all operations of the engine share: the subscriptions, the open windows, the timers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use outlast_core::{
    AttrName, AttrValue, Claim, ErrorKind, Filter, Limits, Query, Result, Subscription, Test,
    Timestamp, Window, WindowItem, WindowKind, WindowStatus,
};
use outlast_store::{Store, Stored};
use xxhash_rust::xxh3::xxh3_128;

use super::due::Latest;
use super::handler::Handler;
use super::load::Load;
use super::open::Open;
use super::options::{Acknowledge, WindowOptions};
use super::queue::Queue;
use super::registered::Registered;
use super::timers::Timers;
use super::turns::{Slot, Stripes, Turns};
use crate::{Instance, Shutdown, telemetry};

/// How often the store is asked whether all is written, before it is the store that fails.
const SYNCS: u32 = 3;

/// The engine behind the handles.
pub(super) struct Engine {
    pub(super) instance: Instance,
    pub(super) options: WindowOptions,
    pub(super) limits: Limits,
    pub(super) subscriptions: Vec<Arc<Registered>>,
    pub(super) joins: Stripes,
    pub(super) batches: Stripes,
    pub(super) timers: Timers,
    pub(super) queue: Queue,
    pub(super) load: Load,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) shutdown: Shutdown,
    pub(super) latest: Latest,
    /// Told when something was handed in and not waited for.
    pub(super) handed_in: tokio::sync::Notify,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("subscriptions", &self.subscriptions).finish_non_exhaustive()
    }
}

impl Engine {
    pub(super) fn store(&self) -> &Store {
        self.instance.store()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.store().clock().now()
    }

    /// The subscription of this id.
    pub(super) fn subscription(&self, id: &str) -> Option<&Arc<Registered>> {
        self.subscriptions.iter().find(|subscription| subscription.id == id)
    }

    pub(super) fn stripes(&self, operation: WindowKind) -> &Stripes {
        match operation {
            WindowKind::Join => &self.joins,
            WindowKind::Batch => &self.batches,
        }
    }

    /// Waits for the turns on these slots, and reads from the store what is in doubt there.
    pub(super) async fn turns(&self, operation: WindowKind, slots: &[Slot]) -> Result<Turns> {
        let mut turns = self.stripes(operation).take(slots).await;
        loop {
            let losses = self.load.losses.load(Ordering::Acquire);
            for cells in turns.all() {
                self.load.release(cells.doubt_since(losses));
            }
            let doubtful: Vec<Slot> = turns.all().flat_map(|cells| cells.doubtful()).collect();
            if doubtful.is_empty() {
                return Ok(turns);
            }
            // What was handed in before may still be on its way to the store.
            self.settle().await?;
            for slot in doubtful {
                self.reread(&mut turns, operation, slot).await?;
            }
        }
    }

    /// Waits until all that was handed in is written. What could not be is a loss: it is counted,
    /// and every open window is read anew before it is changed again.
    ///
    /// Fails only if the store itself does, which asking again shows.
    pub(super) async fn settle(&self) -> Result<()> {
        let mut tries = 1;
        loop {
            let Err(error) = self.store().sync().await else { return Ok(()) };
            if self.options.acknowledge == Acknowledge::Strict {
                return Err(error);
            }
            let error = self.instance.fenced(error).await;
            self.load.losses.fetch_add(1, Ordering::AcqRel);
            metrics::counter!(telemetry::WINDOW_LOSSES).increment(1);
            tracing::error!(%error, "what was published with relaxed acknowledgement is lost");
            if error.kind() == ErrorKind::Fenced {
                // Nothing that is taken in from now on would ever be written.
                self.shutdown.kill();
                return Err(error);
            }
            if tries == SYNCS {
                return Err(error);
            }
            tries += 1;
        }
    }

    async fn reread(&self, turns: &mut Turns, operation: WindowKind, slot: Slot) -> Result<()> {
        let Some(subscription) = self.subscriptions.get(slot.subscription).cloned() else {
            return Ok(());
        };
        let open = self.read_open(&subscription, operation, slot.key.as_deref()).await?;
        let counted = if slot.is_counted { self.stored_sequence(&subscription).await? } else { 0 };
        let Some(cells) = turns.cells(&slot) else { return Ok(()) };
        if slot.is_counted {
            cells.count_to(subscription.number, counted);
        }
        if let Some(open) = &open {
            self.load.add(1);
            self.timers.arm(open, &slot);
        }
        cells.settle(slot, open);
        Ok(())
    }

    async fn read_open(
        &self,
        subscription: &Arc<Registered>,
        operation: WindowKind,
        key: Option<&str>,
    ) -> Result<Option<Open>> {
        let claims = self.store().kind::<Claim>();
        let Some(claim) = claims.find(&claim_id(&subscription.id, operation, key)).await? else {
            return Ok(None);
        };
        let Some(window) = self.store().kind::<Window>().find(&claim.holder).await? else {
            return Ok(None);
        };
        if window.status != WindowStatus::Waiting {
            return Ok(None);
        }
        let items = self.items(&[window.id()]).await?;
        Open::restored(&window, items, subscription).map(Some)
    }

    /// What the store knows of how many artifacts matched a subscription.
    pub(super) async fn stored_sequence(&self, subscription: &Registered) -> Result<u64> {
        let row = self.store().kind::<Subscription>().find(&subscription.id).await?;
        let name = AttrName::new(Subscription::SEQUENCE)?;
        Ok(match row.as_ref().and_then(|row| row.transient.get(&name)) {
            Some(AttrValue::Int(seq)) => u64::try_from(*seq).unwrap_or(0),
            _ => 0,
        })
    }

    /// The items of some windows, in no order.
    pub(super) async fn items(&self, windows: &[&str]) -> Result<Vec<Stored<WindowItem>>> {
        let kind = self.store().kind::<WindowItem>();
        let groups = windows.iter().map(|id| AttrValue::from(*id)).collect();
        let filter = Filter { name: AttrName::group(), test: Test::AnyOf(groups) };
        let mut query = Query { filters: vec![filter], ..kind.query()? };
        query.page.limit = self.limits.page.min(1000);
        let mut items = Vec::new();
        loop {
            let page = kind.list(&query).await?;
            for item in page.items {
                items.push(item?);
            }
            let Some(next) = page.next else { return Ok(items) };
            query.page = query.page.after(next);
        }
    }
}

/// The name that the one open window of a slot has claimed. Keys may be longer than names may.
pub(super) fn claim_id(subscription: &str, operation: WindowKind, key: Option<&str>) -> String {
    let what = match operation {
        WindowKind::Join => "join",
        WindowKind::Batch => "batch",
    };
    match key {
        None => format!("window/{subscription}/{what}"),
        Some(key) => format!("window/{subscription}/{what}/{:032x}", xxh3_128(key.as_bytes())),
    }
}
