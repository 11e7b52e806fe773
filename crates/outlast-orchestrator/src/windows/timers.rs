//! When windows end by time: all of them in one order, so that only the first is waited for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outlast_core::{Timestamp, WindowKind};
use tokio::sync::Notify;

use super::open::Open;
use super::turns::Slot;

/// A window whose time may be over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timer {
    pub(super) at: Timestamp,
    pub(super) window: Arc<str>,
    pub(super) operation: WindowKind,
    pub(super) slot: Slot,
}

/// By when they fire, and the windows they are of.
type Ordered = BTreeMap<(Timestamp, Arc<str>), (WindowKind, Slot)>;

/// The timers, at most one for each open window and, for a moment, one that is out of date.
#[derive(Debug, Default)]
pub(super) struct Timers {
    order: Mutex<Ordered>,
    pub(super) earlier: Notify,
}

impl Timers {
    /// Sees to it that the window is looked at when its time is over.
    pub(super) fn arm(&self, open: &Open, slot: &Slot) {
        let Some(at) = open.fires_at() else { return };
        let mut order = self.order();
        let is_first = order.first_key_value().is_none_or(|((first, _), _)| at < *first);
        order.insert((at, open.id.clone()), (open.operation, slot.clone()));
        drop(order);
        if is_first {
            self.earlier.notify_one();
        }
    }

    pub(super) fn disarm(&self, at: Timestamp, window: &Arc<str>) {
        self.order().remove(&(at, window.clone()));
    }

    /// When the first is.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.order().first_key_value().map(|((at, _), _)| *at)
    }

    /// The first of those that are due. They stay until they are disarmed.
    pub(super) fn due(&self, now: Timestamp, most: usize) -> Vec<Timer> {
        let order = self.order();
        let due = order.iter().take_while(|((at, _), _)| *at <= now).take(most);
        let timer =
            |((at, window), (operation, slot)): (&(Timestamp, Arc<str>), &(WindowKind, Slot))| {
                Timer { at: *at, window: window.clone(), operation: *operation, slot: slot.clone() }
            };
        due.map(timer).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.order().len()
    }

    fn order(&self) -> MutexGuard<'_, Ordered> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
