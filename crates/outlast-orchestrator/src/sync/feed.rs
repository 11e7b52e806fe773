//! The subscriptions of one store, and the task that reads for all of them.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use outlast_core::{Error, Result, Revision};
use outlast_store::Store;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::{Delta, Reason, Subscription, SyncOptions, reader};
use crate::telemetry;

/// The change feed of one store. Cheap to clone; clones share the task that reads.
///
/// The task runs only while there is a subscription that follows. A feed keeps its store open.
#[derive(Clone, Debug)]
pub struct Feed {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Everything up to here has been put into the queues of those who were there.
    at: Revision,
    seats: Vec<Seat>,
    last_seat: u64,
    reader: Option<AbortHandle>,
    /// Which reader that is: one that was called off may still be about to tell something.
    generation: u64,
}

/// A subscription as the task that reads sees it.
#[derive(Debug)]
struct Seat {
    number: u64,
    queue: mpsc::Sender<Arc<Delta>>,
    fate: Arc<OnceLock<Fate>>,
}

/// Why a subscription is told nothing more.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// It has to begin anew.
    Out(Reason),
    /// Reading failed.
    Failed(Error),
}

/// A subscription's place in the feed: what was committed since it was taken arrives here.
#[derive(Debug)]
pub(super) struct Live {
    feed: Feed,
    number: u64,
    queue: mpsc::Receiver<Arc<Delta>>,
    fate: Arc<OnceLock<Fate>>,
}

impl Feed {
    /// The feed of a store. One per store is enough.
    pub fn of(store: &Store) -> Self {
        let state = Mutex::default();
        Self { inner: Arc::new(Inner { store: store.clone(), state }) }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// A subscription. Nothing is read before it is asked for its first message.
    pub fn subscribe(&self, options: SyncOptions) -> Subscription {
        Subscription::new(self.clone(), options)
    }

    /// How many subscriptions follow at the moment.
    pub fn followers(&self) -> usize {
        self.lock().seats.len()
    }

    /// Takes a place: everything after the revision that is told with it will arrive there.
    pub(super) async fn join(&self, queue: usize) -> Result<(Live, Revision)> {
        if let Some(joined) = self.sit_down(queue) {
            return Ok(joined);
        }
        // Made before the revision is read, so that nothing after it goes unnoticed.
        let pulse = self.store().pulse();
        let revision = self.store().revision().await?;
        let mut state = self.lock();
        if state.reader.is_none() {
            state.at = revision;
            state.generation += 1;
            let task = reader::run(self.clone(), pulse, state.generation, revision);
            let task = tokio::spawn(task);
            state.reader = Some(task.abort_handle());
        }
        Ok(self.seat(&mut state, queue))
    }

    fn sit_down(&self, queue: usize) -> Option<(Live, Revision)> {
        let mut state = self.lock();
        state.reader.as_ref()?;
        Some(self.seat(&mut state, queue))
    }

    fn seat(&self, state: &mut State, queue: usize) -> (Live, Revision) {
        state.last_seat += 1;
        let number = state.last_seat;
        let (sender, receiver) = mpsc::channel(queue.clamp(1, MOST_QUEUED));
        let fate = Arc::new(OnceLock::new());
        state.seats.push(Seat { number, queue: sender, fate: fate.clone() });
        gauge(state);
        (Live { feed: self.clone(), number, queue: receiver, fate }, state.at)
    }

    /// Puts a delta into every queue. Whoever has no room is out.
    pub(super) fn tell(&self, generation: u64, delta: &Arc<Delta>) {
        let mut state = self.lock();
        if state.generation != generation {
            return;
        }
        state.at = delta.revision;
        let before = state.seats.len();
        state.seats.retain(|seat| match seat.queue.try_send(delta.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                let _ = seat.fate.set(Fate::Out(Reason::Lagged));
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        });
        if state.seats.len() < before {
            gauge(&state);
        }
    }

    /// Lets everybody go, since the task that reads is at its end.
    pub(super) fn dismiss(&self, generation: u64, fate: &Fate) {
        let mut state = self.lock();
        if state.generation != generation {
            return;
        }
        for seat in state.seats.drain(..) {
            let _ = seat.fate.set(fate.clone());
        }
        state.reader = None;
        gauge(&state);
    }

    fn leave(&self, number: u64) {
        let mut state = self.lock();
        state.seats.retain(|seat| seat.number != number);
        if state.seats.is_empty()
            && let Some(reader) = state.reader.take()
        {
            reader.abort();
            state.generation += 1;
        }
        gauge(&state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest queue, lest a mistake in the options take all memory at once.
const MOST_QUEUED: usize = 1 << 16;

fn gauge(state: &State) {
    #[allow(clippy::cast_precision_loss)]
    metrics::gauge!(telemetry::SYNC_FOLLOWERS).set(state.seats.len() as f64);
}

impl Live {
    /// The next delta, or why there is none any more. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Arc<Delta>, Fate> {
        match self.queue.recv().await {
            Some(delta) => Ok(delta),
            None => Err(self.fate()),
        }
    }

    /// Whether deltas were left out already, though what came before them may still be queued.
    pub(super) fn is_out(&self) -> bool {
        self.queue.is_closed()
    }

    fn fate(&self) -> Fate {
        let gone = || Fate::Failed(Error::internal("the task that reads the feed has stopped"));
        self.fate.get().cloned().unwrap_or_else(gone)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.feed.leave(self.number);
    }
}
