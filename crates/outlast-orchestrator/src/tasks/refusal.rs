//! What a run does not begin or go on with, judged before anything is changed.

use outlast_core::{Error, ErrorKind, Result, Task};
use outlast_store::{Store, Stored};

use super::file::TaskFile;
use super::state::RunState;

/// Refuses what [`Runner::start`](super::Runner::start) would refuse at this moment, with the same
/// error, without taking the right to drive runs and without writing anything. Cancel safe.
pub async fn check_start(store: &Store) -> Result<()> {
    startable(RunState::newest(store).await?.as_ref())
}

/// The same of [`Runner::resume`](super::Runner::resume).
pub async fn check_resume(store: &Store, file: Option<&TaskFile>) -> Result<()> {
    match RunState::newest(store).await? {
        Some(newest) => resumable(&newest, file),
        None => file.map(drop).ok_or_else(no_run),
    }
}

/// `Exists` if the newest run is not finished.
pub(super) fn startable(newest: Option<&RunState>) -> Result<()> {
    match newest {
        Some(newest) if !newest.is_finished() => Err(unfinished(newest)),
        _ => Ok(()),
    }
}

/// `Conflict` or `Invalid` if a run that is not finished cannot be taken up, with this file or
/// without any.
pub(super) fn resumable(newest: &RunState, file: Option<&TaskFile>) -> Result<()> {
    match file {
        _ if newest.is_finished() => Ok(()),
        Some(file) => check_unchanged(file, &newest.tasks),
        None if !newest.is_complete() && newest.problems.is_empty() => Err(incomplete(newest)),
        None => Ok(()),
    }
}

pub(super) fn no_run() -> Error {
    let message = "there is no run to resume: start one by naming a file of tasks";
    Error::new(ErrorKind::NotFound, message)
}

fn unfinished(newest: &RunState) -> Error {
    let stats = newest.stats();
    let settled = stats.completed + stats.failed + stats.interrupted;
    let run = &newest.run;
    Error::new(
        ErrorKind::Exists,
        format!(
            "run {} of {} is not finished ({settled} of {} tasks are settled): take it up again \
             with --resume",
            run.id(),
            run.file,
            run.task_count
        ),
    )
}

fn incomplete(newest: &RunState) -> Error {
    let run = &newest.run;
    Error::invalid(format!(
        "only {} of the {} tasks of run {} were recorded: name its file, {}, to record the others",
        newest.tasks.len(),
        run.task_count,
        run.id(),
        run.file
    ))
}

/// `Conflict`, naming the task, if the file asks a recorded task to do something else now.
fn check_unchanged(file: &TaskFile, tasks: &[Stored<Task>]) -> Result<()> {
    for task in tasks {
        let Some(now) = file.task(&task.spec.name) else { continue };
        let then = &task.spec;
        let what = match () {
            () if now.command != then.command => "command",
            () if now.cwd != then.cwd => "cwd",
            () if now.env != then.env => "env",
            () => continue,
        };
        return Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "the {what} of task {:?} in {} is not what the run began with: put it back, or \
                 resume without the file and start a new run afterwards",
                then.name,
                file.name()
            ),
        ));
    }
    if tasks.is_empty() || tasks.iter().any(|task| file.task(&task.spec.name).is_some()) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Conflict,
        format!("{} has no task in common with the unfinished run: name its file", file.name()),
    ))
}
