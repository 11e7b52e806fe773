//! Point reads that wait at the same time are made as one.
//!
//! What a read costs is the way to the thread that talks to SQLite and back, hardly what it asks
//! there. So whoever gets a turn asks for all who wait. Somebody who is alone has a turn at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use outlast_core::{Key, Result, Slot};
use tokio::select;
use tokio::sync::{Semaphore, oneshot};

use crate::Sqlite;

/// How many gathered reads run at once; more would gather less.
const TURNS: usize = 2;

/// How many entities one of them asks for, unless a single caller asks for more: what it answers
/// is held in memory at once.
const MOST_KEYS: usize = 32;

/// The point reads that wait.
#[derive(Debug)]
pub(crate) struct Gather {
    waiting: Mutex<Vec<Waiting>>,
    tickets: AtomicU64,
    turns: Semaphore,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    keys: Vec<Key>,
    reply: oneshot::Sender<Result<Vec<Slot>>>,
}

impl Default for Gather {
    fn default() -> Self {
        let (waiting, tickets) = (Mutex::default(), AtomicU64::default());
        Self { waiting, tickets, turns: Semaphore::new(TURNS) }
    }
}

impl Gather {
    /// Waits in line. The ticket says which of those who wait it is.
    fn join(&self, keys: &[Key]) -> (u64, oneshot::Receiver<Result<Vec<Slot>>>) {
        let (reply, answer) = oneshot::channel();
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting { ticket, keys: keys.to_vec(), reply };
        self.lock().push(waiting);
        (ticket, answer)
    }

    /// Whoever holds this ticket and those who came first, as many as one read may ask for.
    /// Nobody, if somebody else has taken that one along.
    fn take(&self, ticket: u64) -> Vec<Waiting> {
        let mut waiting = self.lock();
        waiting.retain(|waiting| !waiting.reply.is_closed());
        let Some(own) = waiting.iter().position(|waiting| waiting.ticket == ticket) else {
            return Vec::new();
        };
        let mut taken = vec![waiting.remove(own)];
        let mut keys = taken.iter().map(|one| one.keys.len()).sum::<usize>();
        let fits = |waiting: &Waiting| {
            keys += waiting.keys.len();
            keys <= MOST_KEYS
        };
        let count = waiting.iter().map(fits).take_while(|fits| *fits).count();
        taken.extend(waiting.drain(..count));
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sqlite {
    /// What lies under each key, in one snapshot that is no older than the call.
    pub(crate) async fn gathered(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(slots) = self.recalled(keys) {
            return Ok(slots);
        }
        loop {
            let (ticket, mut answer) = self.gather.join(keys);
            let answered = select! {
                biased;
                answered = &mut answer => answered,
                turn = self.gather.turns.acquire() => {
                    self.answer_all(self.gather.take(ticket)).await;
                    drop(turn);
                    answer.await
                }
            };
            // Nobody answers if whoever asked for us was dropped.
            if let Ok(slots) = answered {
                return slots;
            }
        }
    }

    /// What is known of all of these without asking.
    fn recalled(&self, keys: &[Key]) -> Option<Vec<Slot>> {
        let now = self.connections.usable_moment()?;
        self.recent().get(now, keys)
    }

    async fn answer_all(&self, waiting: Vec<Waiting>) {
        if waiting.is_empty() {
            return;
        }
        let keys: Vec<Key> = waiting.iter().flat_map(|one| &one.keys).cloned().collect();
        match self.slots(&keys).await {
            Ok(slots) => {
                let mut slots = slots.into_iter();
                for Waiting { keys, reply, .. } in waiting {
                    // Whoever does not wait any more does not need it.
                    let _ = reply.send(Ok(slots.by_ref().take(keys.len()).collect()));
                }
            }
            Err(error) => {
                for Waiting { reply, .. } in waiting {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: usize) -> Vec<Key> {
        (0..count).map(|n| Key::new("note", n.to_string()).unwrap()).collect()
    }

    fn tickets(taken: &[Waiting]) -> Vec<u64> {
        taken.iter().map(|one| one.ticket).collect()
    }

    #[test]
    fn one_takes_itself_and_those_who_came_first() {
        let gather = Gather::default();
        let answers: Vec<_> = (0..5).map(|_| gather.join(&keys(10))).collect();
        assert_eq!(tickets(&gather.take(4)), [4, 0, 1]);
        assert!(gather.take(4).is_empty(), "somebody has it already");
        assert_eq!(tickets(&gather.take(2)), [2, 3]);
        drop(answers);
    }

    #[test]
    fn a_large_read_is_taken_alone() {
        let gather = Gather::default();
        let (_small, _large) = (gather.join(&keys(1)), gather.join(&keys(1000)));
        assert_eq!(tickets(&gather.take(1)), [1]);
        assert_eq!(tickets(&gather.take(0)), [0]);
    }

    #[test]
    fn whoever_has_gone_is_not_read_for() {
        let gather = Gather::default();
        let answers: Vec<_> = (0..3).map(|_| gather.join(&keys(1))).collect();
        let mut answers = answers.into_iter();
        let (_first, second, _third) = (answers.next(), answers.next(), answers.next());
        drop(second);
        assert_eq!(tickets(&gather.take(0)), [0, 2]);
    }
}
