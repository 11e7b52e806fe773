//! Running the tasks of a run, so many at a time, until none is left or the sign to stop comes.

use std::collections::HashMap;
use std::sync::Arc;

use outlast_core::{Error, Result, Run};
use outlast_store::Stored;
use tokio::task::{Id, JoinError, JoinSet};

use super::attempt::{Attempt, settle_fallen};
use super::engine::Engine;
use super::orders::Reason;
use super::queue::Queue;
use crate::shutdown::{Shutdown, Urgency};

/// The attempts in progress.
///
/// Dropping it kills their processes.
struct Drive<'a> {
    engine: &'a Arc<Engine>,
    queue: Queue,
    attempts: JoinSet<Result<()>>,
    task_ids: HashMap<Id, String>,
    /// The first error of the store: nothing is started after it.
    failed: Option<Error>,
}

/// Drives a run. All processes have ended when it returns.
pub(super) async fn drive(
    engine: &Arc<Engine>,
    run: &Stored<Run>,
    shutdown: &Shutdown,
) -> Result<()> {
    engine.roster.clear();
    let queue = Queue::of(engine.journal.store(), run.id())?;
    let (attempts, task_ids) = (JoinSet::new(), HashMap::new());
    let mut drive = Drive { engine, queue, attempts, task_ids, failed: None };
    drive.run(shutdown).await;
    match drive.failed {
        Some(error) => Err(error),
        None => engine.journal.sync().await,
    }
}

impl Drive<'_> {
    async fn run(&mut self, shutdown: &Shutdown) {
        let mut urgency = Urgency::None;
        loop {
            if urgency == Urgency::None && self.failed.is_none() {
                self.fill(shutdown).await;
            }
            tokio::select! {
                biased;
                raised = shutdown.beyond(urgency), if urgency < Urgency::Immediate => {
                    urgency = raised;
                    self.stop_all(Reason::Shutdown, urgency == Urgency::Immediate);
                }
                joined = self.attempts.join_next_with_id() => match joined {
                    Some(joined) => self.settle(joined).await,
                    None => return,
                },
            }
        }
    }

    /// Starts tasks while there is room.
    async fn fill(&mut self, shutdown: &Shutdown) {
        while self.attempts.len() < self.engine.options.max_concurrent && !shutdown.has_begun() {
            match self.queue.next().await {
                Ok(Some(task)) => {
                    let id = task.id().to_owned();
                    let orders = self.engine.roster.enter(&id);
                    let attempt = Attempt::new(self.engine.clone(), task, orders);
                    let handle = self.attempts.spawn(attempt.run());
                    self.task_ids.insert(handle.id(), id);
                }
                Ok(None) => return,
                Err(error) => return self.fail(error),
            }
        }
    }

    /// An attempt is over.
    async fn settle(&mut self, joined: Result<(Id, Result<()>), JoinError>) {
        let (id, result) = match joined {
            Ok((id, result)) => (id, Some(result)),
            Err(fallen) => (fallen.id(), None),
        };
        let Some(task_id) = self.task_ids.remove(&id) else { return };
        self.engine.roster.leave(&task_id);
        let result = match result {
            Some(result) => result,
            None => settle_fallen(self.engine, &task_id).await,
        };
        if let Err(error) = result {
            self.fail(error);
        }
    }

    /// The store has failed: nothing is run that cannot be recorded.
    fn fail(&mut self, error: Error) {
        self.failed.get_or_insert(error);
        self.stop_all(Reason::Storage, false);
    }

    fn stop_all(&self, reason: Reason, at_once: bool) {
        self.engine.roster.stop_all(reason, at_once);
    }
}
