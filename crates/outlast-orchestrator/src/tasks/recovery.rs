//! What is done about the tasks of a runner that is gone.
//!
//! Each task is settled in a commit of its own, after it was read again and after nothing of its
//! process is left. What cannot be settled is reported and stays as it is.

use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use outlast_core::{
    Action, Actor, AttrName, AttrValue, Cause, Error, ErrorKind, Filter, NewEntry, Page,
    RecoveryPolicy, Result, Run, Status, StreamQuery, Task, TaskSpec, TaskStatus,
};
use outlast_store::Stored;
use serde::Serialize;

use super::file::TaskFile;
use super::journal::{Journal, log_of};
use crate::output::entry;
use crate::process::{Fragment, LogStream, Survivor};

/// How many tasks are stopped at the same time. Each may take its grace.
const STOPPED_AT_ONCE: usize = 16;

/// What a run was found to be, and what was done about it.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// The run.
    pub run: Stored<Run>,
    /// Each recorded task, in the order of the file.
    pub recovered: Vec<Recovered>,
    /// Tasks of the file that were recorded only now.
    pub added: Vec<String>,
    /// Tasks of the run that the file does not name any more. They are carried on with.
    pub unnamed: Vec<String>,
    /// What could not be read or settled, and stays as it is.
    pub problems: Vec<Error>,
}

/// One task, as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// The newest attempt at it.
    pub task_id: String,
    /// Its name.
    pub name: String,
    /// Where it was.
    pub found: TaskStatus,
    /// What was done.
    pub outcome: Outcome,
    /// The processes of it that still ran and were stopped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<u32>,
}

impl Recovered {
    fn of(task: &Stored<Task>, outcome: Outcome, stopped: Vec<u32>) -> Self {
        let (task_id, name) = (task.id().to_owned(), task.spec.name.clone());
        Self { task_id, name, found: task.status, outcome, stopped }
    }
}

/// What was done about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A new attempt waits for its turn.
    Restarted,
    /// It is interrupted.
    MarkedInterrupted,
    /// It has failed.
    MarkedFailed,
    /// It had not begun, and waits for its turn again.
    Requeued,
    /// It is settled, and nothing was done.
    Unchanged,
}

/// Recovery of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovery<'a> {
    pub(super) journal: &'a Journal,
    /// What the tasks are asked to do now.
    pub(super) file: Option<&'a TaskFile>,
    /// Which settled tasks get a new attempt.
    pub(super) retry: &'a [TaskStatus],
    /// How long a surviving process may take to end by itself.
    pub(super) grace: Duration,
    /// What is done instead of what each task asks for.
    pub(super) policy: Option<RecoveryPolicy>,
}

/// Settles a task of no run in particular as [`Runner::resume`](super::Runner::resume) settles
/// those of the newest, by what it asks for itself or by another policy.
#[cfg(feature = "recovery")]
pub(crate) async fn settle(
    instance: &crate::Instance,
    task: &Stored<Task>,
    policy: Option<RecoveryPolicy>,
    grace: Duration,
) -> Result<Outcome> {
    let journal = Journal::new(instance.clone(), super::options::Transitions::Strict);
    let recovery = Recovery { journal: &journal, file: None, retry: &[], grace, policy };
    let stopped = recovery.stop(task).await;
    Ok(recovery.settle(task, stopped).await?.outcome)
}

/// What becomes of a task that ran when its runner ended.
pub(crate) fn verdict(
    spec: &TaskSpec,
    attempt: u32,
    policy: Option<RecoveryPolicy>,
) -> (TaskStatus, Outcome) {
    let policy = policy.unwrap_or(spec.recovery);
    let is_spent = spec.max_attempts.is_some_and(|most| attempt >= most);
    match policy {
        RecoveryPolicy::Restart if is_spent => {
            (TaskStatus::Interrupted, Outcome::MarkedInterrupted)
        }
        RecoveryPolicy::Restart => (TaskStatus::Interrupted, Outcome::Restarted),
        RecoveryPolicy::Interrupted => (TaskStatus::Interrupted, Outcome::MarkedInterrupted),
        RecoveryPolicy::Failed => (TaskStatus::Failed, Outcome::MarkedFailed),
    }
}

impl Recovery<'_> {
    /// Settles each of these, as far as possible.
    pub(super) async fn settle_all(
        &self,
        tasks: &[Stored<Task>],
    ) -> Result<(Vec<Recovered>, Vec<Error>)> {
        let (mut recovered, mut problems) = (Vec::new(), Vec::new());
        let mut stops =
            pin!(stream::iter(tasks).map(|task| self.stop(task)).buffered(STOPPED_AT_ONCE));
        for task in tasks {
            let stopped = stops.next().await.unwrap_or_else(|| Ok(Vec::new()));
            match self.settle(task, stopped).await {
                Ok(one) => recovered.push(one),
                Err(error) if is_of_one_task(&error) => {
                    problems
                        .push(error.context(format!("task {:?} is left as it is", task.spec.name)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((recovered, problems))
    }

    /// Settles a task once it is known what of it ran, and runs no more.
    async fn settle(&self, seen: &Stored<Task>, stopped: Result<Vec<u32>>) -> Result<Recovered> {
        let stopped = stopped?;
        if !self.is_changed(seen) {
            return Ok(Recovered::of(seen, Outcome::Unchanged, stopped));
        }
        let task: Stored<Task> = self.journal.store().kind().get(seen.id()).await?;
        let outcome = match task.status {
            TaskStatus::Created => self.requeue(&task).await?,
            TaskStatus::Running | TaskStatus::Idle => self.end(&task, &stopped).await?,
            settled if self.retry.contains(&settled) => {
                let cause = self.journal.cause("a new attempt was asked for");
                let mut draft = self.journal.draft(cause);
                draft.fence(&task);
                self.attempt(draft, &task).await?
            }
            _ => Outcome::Unchanged,
        };
        Ok(Recovered::of(&task, outcome, stopped))
    }

    /// Whether it is to be settled, or tried again.
    fn is_changed(&self, task: &Task) -> bool {
        !task.status.is_settled() || self.retry.contains(&task.status)
    }

    /// Stops what still runs of it, and returns once nothing does. Also of one that is settled and
    /// to be tried again: something may have left its process group and run on.
    async fn stop(&self, task: &Stored<Task>) -> Result<Vec<u32>> {
        let Some(leader) = task.process.as_ref().filter(|_| self.is_changed(task)) else {
            return Ok(Vec::new());
        };
        match Survivor::find(leader, task.id()).await? {
            Some(survivor) => Ok(survivor.stop(self.grace).await?.asked),
            None => Ok(Vec::new()),
        }
    }

    /// It has not begun; only what the file says of it may have changed.
    async fn requeue(&self, task: &Stored<Task>) -> Result<Outcome> {
        let spec = self.spec(task);
        if *spec != task.spec {
            let next = Task { spec: spec.clone(), ..(**task).clone() };
            let cause = recovery("the file was changed");
            self.journal.record(task, next, Vec::new(), cause).await?;
        }
        Ok(Outcome::Requeued)
    }

    /// It ran when its runner ended, and does not run any more.
    async fn end(&self, task: &Stored<Task>, stopped: &[u32]) -> Result<Outcome> {
        let spec = self.spec(task);
        let error = ending(stopped);
        let (status, outcome) = verdict(spec, task.attempt, self.policy);
        let now = self.journal.store().clock().now();
        let next =
            Task { status, finished_at: Some(now), error: Some(error.clone()), ..(**task).clone() };
        let mut draft = self.journal.draft(recovery(&error));
        draft.replace(task, &next)?;
        draft.append(log_of(task.id())?, vec![self.note(task, &error).await?]);
        if outcome == Outcome::Restarted {
            return self.attempt(draft, task).await;
        }
        self.journal.commit(&draft).await?;
        Ok(outcome)
    }

    /// Adds the next attempt at a task to a draft, and commits it.
    async fn attempt(
        &self,
        mut draft: outlast_store::Draft,
        task: &Stored<Task>,
    ) -> Result<Outcome> {
        let store = self.journal.store();
        let mut next = task.retry(task.id(), store.clock().now());
        next.spec = self.spec(task).clone();
        draft.create(&store.ids().uuid().to_string(), &next)?;
        self.journal.commit(&draft).await?;
        Ok(Outcome::Restarted)
    }

    /// What the task is asked to do: as the file says now, or as it was recorded.
    fn spec<'t>(&'t self, task: &'t Task) -> &'t TaskSpec {
        self.file.and_then(|file| file.task(&task.spec.name)).unwrap_or(&task.spec)
    }

    /// Says in the output where it breaks off.
    async fn note(&self, task: &Stored<Task>, text: &str) -> Result<NewEntry> {
        let store = self.journal.store();
        let mut query = StreamQuery::of(log_of(task.id())?);
        let system = Filter::is(AttrName::new("stream")?, LogStream::System.as_str());
        (query.filters, query.newest_first, query.page) = (vec![system], true, Page::first(1));
        let before = match store.read(&query).await?.items.into_iter().next() {
            Some(last) => end_of(&last?)?,
            None => 0,
        };
        let data = format!("recovered: {text}\n").into_bytes();
        let fragment =
            Fragment { stream: LogStream::System, byte_offset: before, data, line_count: 1 };
        entry(fragment, store.clock().now())
    }
}

/// The offset of whatever follows an entry of output.
fn end_of(last: &outlast_core::Entry) -> Result<u64> {
    let offset = match last.attrs.get(&AttrName::new("byte_offset")?) {
        Some(AttrValue::Int(offset)) => u64::try_from(*offset).unwrap_or(0),
        _ => 0,
    };
    Ok(offset + last.data.len() as u64)
}

fn ending(stopped: &[u32]) -> String {
    let ended = "the runner ended while the task ran";
    match stopped {
        [] => ended.to_owned(),
        [pid] => format!("{ended}; process {pid} survived it and was stopped"),
        pids => {
            let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
            format!("{ended}; processes {} survived it and were stopped", pids.join(", "))
        }
    }
}

fn recovery(reason: &str) -> Cause {
    Cause::by(Actor::Recovery).called(Action::recovery()).because(reason)
}

/// Whether an error concerns one task only, so that the others can be settled all the same.
fn is_of_one_task(error: &Error) -> bool {
    use ErrorKind::{Busy, Conflict, Corrupt, Incompatible, Unsupported};

    matches!(error.kind(), Busy | Conflict | Corrupt | Incompatible | Unsupported)
}
