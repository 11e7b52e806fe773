//! What people use: a runner, which holds the right to drive runs until it is released.

use std::collections::HashSet;
use std::sync::Arc;

use outlast_core::{Error, ErrorKind, Result, Run, Status, Task, TaskSpec, TaskStatus};
use outlast_store::{Store, Stored};

use crate::Instance;
use crate::instance::is_conflict_on;

use super::drive;
use super::ending::Ending;
use super::engine::Engine;
use super::file::TaskFile;
use super::journal::Journal;
use super::options::RunnerOptions;
use super::orders::Reason;
use super::recovery::{Recovered, Recovery, Resumed};
use super::refusal::{no_run, resumable, startable};
use super::start;
use super::state::RunState;
use crate::Shutdown;

/// Runs tasks, and is the only one that does so in its store. Cheap to clone; clones share the
/// right to, and lose it together.
///
/// Errors of every method, besides those named: `Fenced` when another runner took over, after
/// which nothing was or will be written by this one; and those of the store.
///
/// Dropping it keeps the right for as long as this process lives; [`release`](Runner::release) it.
#[derive(Clone, Debug)]
pub struct Runner {
    engine: Arc<Engine>,
}

impl Runner {
    /// Takes the right to drive the runs of a store, also from a process that is gone.
    ///
    /// `Fenced` if another process has it, naming the process and since when; `Invalid` if the
    /// options allow no task at all.
    pub async fn acquire(store: &Store, options: RunnerOptions) -> Result<Self> {
        let options = options.within(&store.info().limits)?;
        let instance = Instance::acquire(store, options.take_over).await?;
        Ok(Self::with(instance, options))
    }

    /// The same under a right that was taken before, which [`release`](Runner::release) gives up.
    pub fn under(instance: Instance, options: RunnerOptions) -> Result<Self> {
        let options = options.within(&instance.store().info().limits)?;
        Ok(Self::with(instance, options))
    }

    fn with(instance: Instance, options: RunnerOptions) -> Self {
        let journal = Journal::new(instance, options.transitions);
        Self { engine: Arc::new(Engine::new(journal, options)) }
    }

    /// Records a new run of a file, with its tasks waiting for their turn.
    ///
    /// `Exists` if the newest run is not finished: it is to be resumed first. `TooLarge` if a task
    /// is more than the store takes; nothing is recorded then. Cancel safe, but a run may be
    /// recorded in part, which [`resume`](Runner::resume) completes.
    pub async fn start(&self, file: &TaskFile) -> Result<Stored<Run>> {
        let newest = RunState::newest(self.store()).await?;
        startable(newest.as_ref())?;
        let newest = newest.as_ref().map(|newest| newest.run.id());
        start::record(&self.engine.journal, file, newest).await
    }

    /// Takes the newest run up again: stops what survived its runner, settles what ran by each
    /// task's policy, records what of the file is not recorded yet, and makes new attempts at
    /// settled tasks whose status is in `retry`.
    ///
    /// A finished run is reported, and changed by `retry` only. Without any run the file is
    /// started. Doing it again right away changes nothing.
    ///
    /// `NotFound` if there is neither a run nor a file; `Conflict` if the file asks a recorded
    /// task to do something else, or names none of them; `Invalid` if tasks of the run were never
    /// recorded and no file says what they are. Nothing is changed then. Cancel safe: resume again.
    pub async fn resume(&self, file: Option<&TaskFile>, retry: &[TaskStatus]) -> Result<Resumed> {
        let Some(newest) = RunState::newest(self.store()).await? else {
            return self.start_anew(file.ok_or_else(no_run)?).await;
        };
        resumable(&newest, file)?;
        // What a finished run was made of is over.
        let file = if newest.is_finished() { None } else { file };
        let (journal, grace) = (&*self.engine.journal, self.engine.options.grace);
        let recovery = Recovery { journal, file, retry, grace, policy: None };
        let (recovered, mut problems) = recovery.settle_all(&newest.tasks).await?;
        problems.extend(newest.problems.iter().cloned());
        let added = match file {
            Some(file) => self.add_missing(file, &newest).await?,
            None => Vec::new(),
        };
        let unnamed = file.map(|file| unnamed(file, &recovered)).unwrap_or_default();
        Ok(Resumed { run: newest.run, recovered, added, unnamed, problems })
    }

    async fn start_anew(&self, file: &TaskFile) -> Result<Resumed> {
        let run = self.start(file).await?;
        let added = file.tasks().iter().map(|spec| spec.name.clone()).collect();
        let (recovered, unnamed, problems) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Resumed { run, recovered, added, unnamed, problems })
    }

    /// Records the tasks of the file that are not. None if a record cannot be read: it may be that
    /// of the task, which must not be run twice.
    async fn add_missing(&self, file: &TaskFile, newest: &RunState) -> Result<Vec<String>> {
        let known: HashSet<_> = newest.tasks.iter().map(|task| &task.spec.name).collect();
        let missing: Vec<&TaskSpec> =
            file.tasks().iter().filter(|spec| !known.contains(&spec.name)).collect();
        let task_count = (newest.tasks.len() + missing.len()) as u64;
        let is_recorded = missing.is_empty() && newest.run.task_count == task_count;
        if is_recorded || !newest.problems.is_empty() {
            return Ok(Vec::new());
        }
        start::extend(&self.engine.journal, &newest.run, &missing, task_count).await?;
        Ok(missing.into_iter().map(|spec| spec.name.clone()).collect())
    }

    /// Runs the tasks that wait, and says where the run stands in the end.
    ///
    /// It ends when every task is settled, or when `shutdown` says so: then no more are started,
    /// those that run are asked to end, killed after their grace, and recorded as interrupted, and
    /// the others keep waiting. An error of the store ends it the same way, except that what could
    /// not be recorded stays as it was; no process is left in any case.
    ///
    /// If the future is dropped, processes are killed, and [`resume`](Runner::resume) finds out
    /// which.
    pub async fn drive(&self, run: &Stored<Run>, shutdown: &Shutdown) -> Result<RunState> {
        drive::drive(&self.engine, run, shutdown).await?;
        let run = self.store().kind().get(run.id()).await?;
        RunState::read(self.store(), run).await
    }

    /// Interrupts a task: one that runs is asked to end and killed after its grace, one that waits
    /// does not run. It is recorded as soon as it is so; whichever end comes first stays.
    ///
    /// `IllegalTransition` if it has ended otherwise, `NotFound` if there is no such task,
    /// `Conflict` if it is recorded as running but is not run by this runner.
    pub async fn interrupt(&self, task_id: &str) -> Result<()> {
        loop {
            if let Some(orders) = self.engine.roster.find(task_id) {
                orders.stop(Reason::Requested, false);
                return Ok(());
            }
            let task: Stored<Task> = self.store().kind().get(task_id).await?;
            match task.status {
                TaskStatus::Interrupted => return Ok(()),
                TaskStatus::Running | TaskStatus::Idle => return Err(foreign(&task)),
                TaskStatus::Created | TaskStatus::Completed | TaskStatus::Failed => {}
            }
            let ending = Ending::Unstarted(Reason::Requested);
            let next = ending.of(&task, self.store().clock().now());
            let cause = self.engine.journal.cause("on request");
            match self.engine.journal.record(&task, next, Vec::new(), cause).await {
                // It began or ended meanwhile, which happens a few times in its life at most.
                Err(error) if is_conflict_on(&error, &task.key) => {}
                other => return other.map(|task| self.engine.tell(&task)),
            }
        }
    }

    /// Interrupts every task that runs now. Those that wait take their turns.
    pub fn interrupt_all(&self) {
        self.engine.roster.stop_all(Reason::Requested, false);
    }

    /// Waits until every transition that was handed over is settled; the first that was not
    /// applied is the error. Cancel safe.
    pub async fn sync(&self) -> Result<()> {
        self.engine.journal.sync().await
    }

    /// How many events found no room.
    pub fn unsent_events(&self) -> u64 {
        self.engine.unsent()
    }

    /// Gives the right up, so that another can take it at once.
    pub async fn release(self) -> Result<()> {
        self.engine.journal.release().await
    }

    fn store(&self) -> &Store {
        self.engine.journal.store()
    }
}

fn unnamed(file: &TaskFile, recovered: &[Recovered]) -> Vec<String> {
    let names = recovered.iter().map(|task| &task.name);
    names.filter(|name| file.task(name).is_none()).cloned().collect()
}

fn foreign(task: &Stored<Task>) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("{} is {} but not run by this runner", task.key, task.status.as_str()),
    )
}
