//! The one way the engine writes: every commit asserts that the lease is still held.

use std::time::Duration;

use outlast_core::{
    Cause, Durability, Error, ErrorKind, Key, Lease, NewEntry, Receipt, Result, StreamName, Task,
    Version,
};
use outlast_store::{Draft, Store, Stored};
use tokio::time::sleep;

use super::lease;
use super::options::Transitions;

/// How often a commit is repeated that met a busy store, or whose answer was lost.
const TRIES: u32 = 3;

/// The first pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Writes under a lease. A commit made after the lease was lost is refused whole.
#[derive(Debug)]
pub(super) struct Journal {
    store: Store,
    lease: Stored<Lease>,
    transitions: Transitions,
}

impl Journal {
    pub(super) fn new(store: Store, lease: Stored<Lease>, transitions: Transitions) -> Self {
        Self { store, lease, transitions }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// An empty draft under the lease, as durable as the store can be.
    pub(super) fn draft(&self, cause: Cause) -> Draft {
        let mut draft = self.store.draft();
        draft.cause(cause).fence(&self.lease);
        if self.store.info().durability == Durability::Durable {
            draft.at_least(Durability::Durable);
        }
        draft
    }

    /// The cause of a change the engine makes by itself.
    pub(super) fn cause(&self, reason: &str) -> Cause {
        self.store.cause().clone().because(reason)
    }

    /// Commits. A lost lease is `Fenced`; a commit that may or may not have been applied is
    /// repeated under its id, and one that met a busy store is tried again.
    pub(super) async fn commit(&self, draft: &Draft) -> Result<Receipt> {
        let mut tries = 1;
        loop {
            match draft.commit().await {
                Err(error) if tries < TRIES && is_worth_repeating(&error) => {
                    sleep(PAUSE * tries).await;
                    tries += 1;
                }
                Err(error) => return Err(self.fenced(error).await),
                Ok(receipt) => return Ok(receipt),
            }
        }
    }

    /// Makes `next` the state of a task and waits for it, together with output if there is any.
    pub(super) async fn record(
        &self,
        task: &Stored<Task>,
        next: Task,
        output: Vec<NewEntry>,
        cause: Cause,
    ) -> Result<Stored<Task>> {
        let draft = self.successor(task, &next, output, cause)?;
        let receipt = self.commit(&draft).await?;
        let version = receipt.version(&task.key).ok_or_else(|| {
            Error::internal(format!("the receipt of {} lacks {}", receipt.id, task.key))
        })?;
        task.advanced(next, version, receipt.at)
    }

    /// The same, but waits only if transitions are strict.
    pub(super) async fn transition(
        &self,
        task: &Stored<Task>,
        next: Task,
        output: Vec<NewEntry>,
        cause: Cause,
    ) -> Result<Stored<Task>> {
        if self.transitions == Transitions::Strict {
            return self.record(task, next, output, cause).await;
        }
        let draft = self.successor(task, &next, output, cause)?;
        draft.enqueue().await?;
        let epoch = task.version.epoch.max(self.store.info().epoch);
        let version = Version { epoch, n: task.version.n + 1 };
        task.advanced(next, version, self.store.clock().now())
    }

    fn successor(
        &self,
        task: &Stored<Task>,
        next: &Task,
        output: Vec<NewEntry>,
        cause: Cause,
    ) -> Result<Draft> {
        let mut draft = self.draft(cause);
        draft.replace(task, next)?;
        if !output.is_empty() {
            draft.append(log_of(task.id())?, output);
        }
        Ok(draft)
    }

    /// Waits until everything that was handed over is settled.
    pub(super) async fn sync(&self) -> Result<()> {
        match self.store.sync().await {
            Err(error) => Err(self.fenced(error).await),
            Ok(()) => Ok(()),
        }
    }

    /// Gives the lease up.
    pub(super) async fn release(&self) -> Result<()> {
        let mut draft = self.store.draft();
        draft.delete(&self.lease);
        self.commit(&draft).await.map(drop)
    }

    /// A conflict on the lease says that somebody else has it.
    async fn fenced(&self, error: Error) -> Error {
        if is_conflict_on(&error, &self.lease.key) {
            lease::lost(&self.store).await.with_source(error)
        } else {
            error
        }
    }
}

/// The stream that a task's output is kept in.
pub(super) fn log_of(task_id: &str) -> Result<StreamName> {
    Key::new("log", task_id)
}

/// Whether a commit failed because this entity was not at the version it was read at.
pub(super) fn is_conflict_on(error: &Error, key: &Key) -> bool {
    error.kind() == ErrorKind::Conflict
        && error.mismatch().is_some_and(|mismatch| mismatch.key == *key)
}

fn is_worth_repeating(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Busy | ErrorKind::Indeterminate)
}
