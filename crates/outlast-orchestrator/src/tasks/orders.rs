//! What one running task is told from outside, and the table of those that can be told.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Why a task is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Somebody asked for it.
    Requested,
    /// The whole run is shut down.
    Shutdown,
    /// It was silent for too long.
    Silence,
    /// Its output could not be recorded any more, or another task's.
    Storage,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "on request",
            Self::Shutdown => "the runner was shut down",
            Self::Silence => "it wrote nothing for longer than its idle threshold",
            Self::Storage => "the store failed",
        })
    }
}

/// An order to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) reason: Reason,
    /// Without grace.
    pub(super) at_once: bool,
}

/// The orders for one task. The first reason stays; it may become more urgent.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders(Arc<watch::Sender<Option<Order>>>);

impl Orders {
    pub(super) fn stop(&self, reason: Reason, at_once: bool) {
        self.0.send_modify(|order| {
            let order = order.get_or_insert(Order { reason, at_once });
            order.at_once |= at_once;
        });
    }

    pub(super) fn given(&self) -> Option<Order> {
        *self.0.borrow()
    }

    /// Resolves when it is told to stop. Cancel safe.
    pub(super) async fn stopped(&self) -> Reason {
        let order = self.wait_for(|_| true).await;
        order.reason
    }

    /// Resolves when it is to be stopped without grace. Cancel safe.
    pub(super) async fn hurried(&self) {
        self.wait_for(|order| order.at_once).await;
    }

    async fn wait_for(&self, enough: impl Fn(&Order) -> bool) -> Order {
        let mut told = self.0.subscribe();
        match told.wait_for(|order| order.as_ref().is_some_and(&enough)).await.map(|order| *order) {
            Ok(Some(order)) => order,
            // The sender is held here, so it cannot be gone, and nothing else passes the test.
            _ => std::future::pending().await,
        }
    }
}

/// Every task that has a process now, by its id.
#[derive(Debug, Default)]
pub(super) struct Roster(Mutex<HashMap<String, Orders>>);

impl Roster {
    pub(super) fn enter(&self, task_id: &str) -> Orders {
        let orders = Orders::default();
        self.table().insert(task_id.to_owned(), orders.clone());
        orders
    }

    pub(super) fn leave(&self, task_id: &str) {
        self.table().remove(task_id);
    }

    pub(super) fn find(&self, task_id: &str) -> Option<Orders> {
        self.table().get(task_id).cloned()
    }

    pub(super) fn stop_all(&self, reason: Reason, at_once: bool) {
        self.table().values().for_each(|orders| orders.stop(reason, at_once));
    }

    pub(super) fn clear(&self) {
        self.table().clear();
    }

    fn table(&self) -> std::sync::MutexGuard<'_, HashMap<String, Orders>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
