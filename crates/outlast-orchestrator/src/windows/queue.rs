//! What is to be handed over, and when.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outlast_core::Timestamp;
use tokio::sync::Notify;

/// What is not known of a window that is to be handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doubt {
    /// Nothing: its next try is recorded, and was not made.
    None,
    /// Whether the recorded try was made.
    Tried,
    /// That too, and whether what led to it is in the store yet.
    Written,
}

/// A window to be handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) window: Arc<str>,
    pub(super) doubt: Doubt,
}

/// When a window may be handed over, and which of one moment came first.
type Place = (Timestamp, u64);

/// The windows that are handed over, or wait to be, by when they may be: each is there once. Each
/// is counted as a window that is open, which is what bounds them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    pub(super) earlier: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: BTreeMap<Place, Pending>,
    known: HashMap<Arc<str>, Known>,
    next: u64,
}

#[derive(Debug)]
enum Known {
    Waiting(Place),
    /// Being handed over, and what came meanwhile.
    Active(Option<(Timestamp, Doubt)>),
}

impl Inner {
    fn insert(&mut self, at: Timestamp, pending: Pending) {
        self.next += 1;
        let place = (at, self.next);
        self.known.insert(pending.window.clone(), Known::Waiting(place));
        self.waiting.insert(place, pending);
    }
}

impl Queue {
    /// Lets a window be handed over from a moment on. Says whether it is new here.
    pub(super) fn push(&self, at: Timestamp, window: &Arc<str>, doubt: Doubt) -> bool {
        let mut inner = self.inner();
        let pending = Pending { window: window.clone(), doubt };
        let is_new = match inner.known.get_mut(window) {
            None => {
                inner.insert(at, pending);
                true
            }
            Some(Known::Active(again)) => {
                *again = Some((at, doubt));
                false
            }
            // What is said last is what is known now.
            Some(Known::Waiting(place)) => {
                let place = *place;
                inner.waiting.remove(&place);
                inner.insert(at.min(place.0), pending);
                false
            }
        };
        drop(inner);
        self.earlier.notify_one();
        is_new
    }

    /// Takes the first that may be handed over now. It has to be [finished](Queue::finish).
    pub(super) fn pop(&self, now: Timestamp) -> Option<Pending> {
        let mut inner = self.inner();
        let entry = inner.waiting.first_entry().filter(|entry| entry.key().0 <= now)?;
        let pending = entry.remove();
        inner.known.insert(pending.window.clone(), Known::Active(None));
        Some(pending)
    }

    /// Says that a window is not being handed over any more, and when it is again, if so. Says
    /// whether it is gone from here.
    pub(super) fn finish(&self, window: &Arc<str>, again: Option<(Timestamp, Doubt)>) -> bool {
        let mut inner = self.inner();
        let Some(Known::Active(meanwhile)) = inner.known.remove(window) else { return false };
        let Some((at, doubt)) = again.or(meanwhile) else { return true };
        inner.insert(at, Pending { window: window.clone(), doubt });
        drop(inner);
        self.earlier.notify_one();
        false
    }

    /// Lets nothing wait for longer than to this moment, which a clock that went back would have it
    /// do.
    pub(super) fn hasten(&self, latest: Timestamp) {
        let mut inner = self.inner();
        let late = inner.waiting.split_off(&(latest, u64::MAX));
        for pending in late.into_values() {
            inner.insert(latest, pending);
        }
    }

    /// When the first may be handed over.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.inner().waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// How many wait or are being handed over.
    pub(super) fn len(&self) -> usize {
        self.inner().known.len()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn a_window_is_there_once_however_often_it_is_pushed() {
        let queue = Queue::default();
        let window: Arc<str> = "w".into();
        assert!(queue.push(at(5), &window, Doubt::Written));
        assert!(!queue.push(at(3), &window, Doubt::None));
        assert_eq!((queue.len(), queue.first()), (1, Some(at(3))));
        assert_eq!(queue.pop(at(2)), None);
        let pending = queue.pop(at(3)).unwrap();
        assert_eq!(pending.doubt, Doubt::None, "what was said last");
        assert_eq!((queue.pop(at(9)), queue.len()), (None, 1));
        assert!(!queue.push(at(4), &window, Doubt::Tried), "it is being handed over");
        assert!(!queue.finish(&window, None), "what came meanwhile is not forgotten");
        assert_eq!(queue.pop(at(9)).unwrap().doubt, Doubt::Tried);
        assert!(queue.finish(&window, None));
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn the_first_of_one_moment_comes_first_and_none_waits_for_too_long() {
        let queue = Queue::default();
        for (moment, window) in [(9, "late"), (1, "a"), (1, "b")] {
            queue.push(at(moment), &window.into(), Doubt::None);
        }
        queue.hasten(at(2));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop(at(2))).map(|one| one.window).collect();
        assert_eq!(order, ["a".into(), "b".into(), Arc::<str>::from("late")]);
    }
}
