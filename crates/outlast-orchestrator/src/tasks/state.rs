//! Where a run stands: the newest attempt at each of its tasks.

use std::collections::HashMap;
use std::pin::pin;

use futures_util::StreamExt;
use outlast_core::{AttrName, Error, Filter, Order, Page, Result, Run, Status, Task, TaskStatus};
use outlast_store::{Store, Stored};
use serde::Serialize;

/// A run as it is recorded.
#[derive(Clone, Debug)]
pub struct RunState {
    /// The run.
    pub run: Stored<Run>,
    /// The newest attempt at each task, in the order of the file.
    pub tasks: Vec<Stored<Task>>,
    /// Records of the run that cannot be read. Whether one of them is a newest attempt is unknown.
    pub problems: Vec<Error>,
}

/// How many tasks of a run are where, counting the newest attempt of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// All that are recorded.
    pub total: u64,
    /// Waiting for their turn.
    pub created: u64,
    /// Running and heard of.
    pub running: u64,
    /// Running in silence.
    pub idle: u64,
    /// Ended with exit code 0.
    pub completed: u64,
    /// Ended otherwise, or never started.
    pub failed: u64,
    /// Stopped.
    pub interrupted: u64,
}

impl RunState {
    /// Reads a run from the store.
    pub async fn read(store: &Store, run: Stored<Run>) -> Result<Self> {
        let tasks = store.kind::<Task>();
        let mut query = tasks.query()?.filter(Filter::is(AttrName::group(), run.id()));
        query.page = Page::first(store.info().limits.page.min(PAGE));
        let mut state = Self { run, tasks: Vec::new(), problems: Vec::new() };
        let mut places = HashMap::new();
        let mut attempts = pin!(tasks.stream(query));
        // Ids grow, so the first attempts come in the order of the file.
        while let Some(attempt) = attempts.next().await {
            match attempt {
                Ok(attempt) => state.take(attempt, &mut places),
                Err(error) if error.is_of_one_record() => state.problems.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(state)
    }

    /// The newest run of a store and where it stands; `None` if there never was one.
    pub async fn newest(store: &Store) -> Result<Option<Self>> {
        match Self::newest_run(store).await? {
            Some(run) => Self::read(store, run).await.map(Some),
            None => Ok(None),
        }
    }

    /// The newest run of a store, without its tasks.
    pub async fn newest_run(store: &Store) -> Result<Option<Stored<Run>>> {
        let runs = store.kind::<Run>();
        let mut query = runs.query()?;
        // Ids grow.
        (query.order, query.descending, query.page) = (Order::Id, true, Page::first(1));
        pin!(runs.stream(query)).next().await.transpose()
    }

    fn take(&mut self, attempt: Stored<Task>, places: &mut HashMap<String, usize>) {
        let place = *places.entry(attempt.spec.name.clone()).or_insert(self.tasks.len());
        match self.tasks.get_mut(place) {
            None => self.tasks.push(attempt),
            Some(known) if known.attempt < attempt.attempt => *known = attempt,
            Some(_) => {}
        }
    }

    /// Whether every task is recorded and settled.
    pub fn is_finished(&self) -> bool {
        self.is_complete() && self.tasks.iter().all(|task| task.status.is_settled())
    }

    /// Whether every task is recorded.
    pub fn is_complete(&self) -> bool {
        self.tasks.len() as u64 >= self.run.task_count
    }

    /// How many tasks are where.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for task in &self.tasks {
            stats.total += 1;
            *stats.of(task.status) += 1;
        }
        stats
    }
}

impl Stats {
    fn of(&mut self, status: TaskStatus) -> &mut u64 {
        match status {
            TaskStatus::Created => &mut self.created,
            TaskStatus::Running => &mut self.running,
            TaskStatus::Idle => &mut self.idle,
            TaskStatus::Completed => &mut self.completed,
            TaskStatus::Failed => &mut self.failed,
            TaskStatus::Interrupted => &mut self.interrupted,
        }
    }
}

/// How many records are read at once.
pub(super) const PAGE: u32 = 256;
