//! What every part of a runner shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use outlast_core::{Clock, Task};
use outlast_store::Stored;

use super::event::Event;
use super::journal::Journal;
use super::options::RunnerOptions;
use super::orders::Roster;

#[derive(Debug)]
pub(super) struct Engine {
    pub(super) journal: Arc<Journal>,
    pub(super) options: RunnerOptions,
    /// Names this runner in the tasks it starts.
    pub(super) instance: String,
    pub(super) roster: Roster,
    unsent: AtomicU64,
}

impl Engine {
    pub(super) fn new(journal: Journal, options: RunnerOptions) -> Self {
        let instance = journal.store().ids().uuid().to_string();
        let (roster, unsent) = (Roster::default(), AtomicU64::default());
        Self { journal: Arc::new(journal), options, instance, roster, unsent }
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        self.journal.store().clock()
    }

    /// Tells whoever listens where a task is now, and never waits for them.
    pub(super) fn tell(&self, task: &Stored<Task>) {
        let Some(events) = &self.options.events else { return };
        if events.try_send(Event::of(task)).is_err() {
            self.unsent.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }
}
