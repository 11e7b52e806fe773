//! The one way the engine writes: every commit asserts that the lease is still held.

use outlast_core::{
    Cause, Error, Key, NewEntry, Receipt, Result, Status, StreamName, Task, Version,
};
use outlast_store::{Draft, Store, Stored};

use crate::{Instance, telemetry};

use super::options::Transitions;

/// Writes under a lease. A commit made after the lease was lost is refused whole.
#[derive(Debug)]
pub(super) struct Journal {
    instance: Instance,
    transitions: Transitions,
}

impl Journal {
    pub(super) fn new(instance: Instance, transitions: Transitions) -> Self {
        Self { instance, transitions }
    }

    pub(super) fn instance(&self) -> &Instance {
        &self.instance
    }

    pub(super) fn store(&self) -> &Store {
        self.instance.store()
    }

    /// An empty draft under the lease, as durable as the store can be.
    pub(super) fn draft(&self, cause: Cause) -> Draft {
        self.instance.draft(cause)
    }

    /// The cause of a change the engine makes by itself.
    pub(super) fn cause(&self, reason: &str) -> Cause {
        self.store().cause().clone().because(reason)
    }

    /// Commits. A lost lease is `Fenced`.
    pub(super) async fn commit(&self, draft: &Draft) -> Result<Receipt> {
        self.instance.commit(draft).await
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
        count(task, &next);
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
        count(task, &next);
        let epoch = task.version.epoch.max(self.store().info().epoch);
        let version = Version { epoch, n: task.version.n + 1 };
        task.advanced(next, version, self.store().clock().now())
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
        match self.store().sync().await {
            Err(error) => Err(self.instance.fenced(error).await),
            Ok(()) => Ok(()),
        }
    }

    /// Gives the lease up.
    pub(super) async fn release(&self) -> Result<()> {
        self.instance.release().await
    }
}

/// Counts a task that is settled now and was not before.
fn count(before: &Task, now: &Task) {
    if now.status.is_settled() && !before.status.is_settled() {
        let status = now.status.as_str();
        metrics::counter!(telemetry::TASKS_SETTLED, "status" => status).increment(1);
    }
}

/// The stream that a task's output is kept in.
pub(super) fn log_of(task_id: &str) -> Result<StreamName> {
    Key::new("log", task_id)
}
