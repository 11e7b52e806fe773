//! How a runner behaves.

use std::time::Duration;

use outlast_core::{Error, Limits, Result};
use rustix::process::{Resource, getrlimit};
use tokio::sync::mpsc;

use super::event::Event;
use crate::process::FlushPolicy;

/// How a runner behaves.
#[derive(Clone, Debug)]
pub struct RunnerOptions {
    /// How many tasks run at once, at least one, and no more than this program has file
    /// descriptors for. The others wait in the order of the file.
    pub max_concurrent: usize,
    /// How long a task that is asked to end may take before it is killed.
    pub grace: Duration,
    /// How long the output of a task may stay open after its process has ended.
    pub drain: Duration,
    /// When captured output is written down.
    pub flush: FlushPolicy,
    /// Whether transitions are waited for.
    pub transitions: Transitions,
    /// Whether to take the lease of a runner that cannot be judged from here. One that is known
    /// to run is never overruled.
    pub take_over: bool,
    /// Where progress is told. Nothing ever waits for room in it: what does not fit is counted by
    /// [`Runner::unsent_events`](super::Runner::unsent_events) and left out.
    pub events: Option<mpsc::Sender<Event>>,
}

/// Whether a transition is waited for.
///
/// The process of a task is recorded, durably if the store can, before it may run, either way;
/// and output is always waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transitions {
    /// Until it is as durable as the store makes it.
    #[default]
    Strict,
    /// Until it has its place in the store's queue. What was not applied is told by
    /// [`Runner::sync`](super::Runner::sync), which a run also ends with.
    Enqueued,
}

impl Default for RunnerOptions {
    fn default() -> Self {
        Self {
            max_concurrent: 5,
            grace: Duration::from_secs(2),
            drain: Duration::from_secs(2),
            flush: FlushPolicy::default(),
            transitions: Transitions::default(),
            take_over: false,
            events: None,
        }
    }
}

/// How many file descriptors are left to everything else: the store, the runtime, and a process
/// that is being spawned.
const OTHER_DESCRIPTORS: u64 = 64;

/// How many file descriptors a task takes: two pipes and a hold on its process, and one to spare.
const TASK_DESCRIPTORS: u64 = 4;

/// How many processes this program has file descriptors for.
fn most_processes() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let processes = limit.saturating_sub(OTHER_DESCRIPTORS) / TASK_DESCRIPTORS;
    usize::try_from(processes).unwrap_or(usize::MAX).max(1)
}

impl RunnerOptions {
    /// The same, as far as the store's limits allow; `Invalid` if nothing could ever run.
    pub(super) fn within(mut self, limits: &Limits) -> Result<Self> {
        if self.max_concurrent == 0 {
            return Err(Error::invalid("at least 1 task must be allowed to run at a time"));
        }
        self.max_concurrent = self.max_concurrent.min(most_processes());
        self.flush.max_bytes = self.flush.max_bytes.min(limits.entry_bytes);
        Ok(self)
    }
}
