//! What a run comes to: as text, as JSON, and as an exit code.

use outlast::tasks::{Event, Outcome, Recovered, Resumed, RunState, Stats};
use outlast::{Error, Status as _, TaskStatus};
use serde::Serialize;
use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, note};
use crate::runs;

/// How many tasks that did not complete are named in the text.
const MOST_NAMED: usize = 20;

/// One line of JSON.
#[derive(Serialize)]
struct Line<'a, T> {
    event: &'a str,
    #[serde(flatten)]
    content: &'a T,
}

fn line(out: &mut Output, event: &str, content: &impl Serialize) -> Result<(), Failure> {
    out.json(&Line { event, content })?;
    out.flush()
}

/// The run has begun, or begun again.
pub(super) fn begun(resumed: &Resumed, state: &RunState, out: &mut Output) -> Result<(), Failure> {
    let run = &resumed.run;
    if out.is_json() {
        let content = json!({
            "run": run.id(),
            "file": run.file,
            "tasks": state.tasks.len(),
            "added": resumed.added,
            "unnamed": resumed.unnamed,
        });
        line(out, "run", &content)?;
        return resumed.recovered.iter().try_for_each(|task| line(out, "recovered", task));
    }
    note(&format!("run {} of {}: {} tasks", run.id(), run.file, state.tasks.len()));
    resumed.recovered.iter().filter_map(recovered).for_each(|text| note(&text));
    for name in &resumed.added {
        note(&format!("task {name} is new in the run"));
    }
    for name in &resumed.unnamed {
        note(&format!("task {name} is not in the file any more, and is carried on with"));
    }
    Ok(())
}

/// What was done about a task, if anything was.
fn recovered(task: &Recovered) -> Option<String> {
    let outcome = match task.outcome {
        Outcome::Unchanged | Outcome::Requeued => return None,
        Outcome::Restarted => "a new attempt is made",
        Outcome::MarkedInterrupted => "it is marked interrupted",
        Outcome::MarkedFailed => "it is marked failed",
    };
    let stopped: Vec<_> = task.stopped.iter().map(ToString::to_string).collect();
    let stopped = if stopped.is_empty() {
        String::new()
    } else {
        format!(", what survived was stopped (process {})", stopped.join(", "))
    };
    Some(format!("task {} was {}{stopped}: {outcome}", task.name, task.found.as_str()))
}

/// A task has moved.
pub(super) fn event(event: &Event, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() { line(out, "task", event) } else { Ok(()) }
}

/// What the program ends with, judged by the newest attempts.
pub(super) fn exit(state: &RunState) -> Exit {
    match state.stats() {
        Stats { failed: 1.., .. } => Exit::WorkFailed,
        _ if !state.is_finished() => Exit::Interrupted,
        Stats { interrupted: 1.., .. } => Exit::Interrupted,
        _ => Exit::Completed,
    }
}

/// Where the run stands in the end.
pub(super) fn summary(state: &RunState, exit: Exit, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        let problems: Vec<_> = state.problems.iter().map(ToString::to_string).collect();
        let content = json!({
            "run": state.run.id(),
            "file": state.run.file,
            "outcome": runs::outcome(state),
            "tasks": state.stats(),
            "problems": problems,
            "exit_code": exit as u8,
        });
        return line(out, "summary", &content);
    }
    let run = &state.run;
    out.line(&format!("run {} of {}: {}", run.id(), run.file, counts(&state.stats())))?;
    let is_left = |status| status != TaskStatus::Completed;
    let left: Vec<_> = state.tasks.iter().filter(|task| is_left(task.status)).collect();
    for task in left.iter().take(MOST_NAMED) {
        let why = task.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let status = match task.status {
            TaskStatus::Created => "waiting",
            status => status.as_str(),
        };
        out.line(&format!("  {} is {status}{why}", task.spec.name))?;
    }
    if left.len() > MOST_NAMED {
        out.line(&format!("  and {} more; outlast ps lists them", left.len() - MOST_NAMED))?;
    }
    if !state.is_finished() {
        note("outlast run --resume goes on with it");
    } else if exit != Exit::Completed {
        note("outlast run --resume --retry interrupted,failed tries these again");
    }
    out.flush()
}

/// How many tasks are where, leaving out where none is.
fn counts(stats: &Stats) -> String {
    let counts = [
        (stats.completed, "completed"),
        (stats.failed, "failed"),
        (stats.interrupted, "interrupted"),
        (stats.running, "running"),
        (stats.idle, "idle"),
        (stats.created, "waiting"),
    ];
    let shown = counts.iter().filter(|(count, _)| *count > 0);
    let shown: Vec<_> = shown.map(|(count, name)| format!("{count} {name}")).collect();
    format!("{} tasks, {}", stats.total, shown.join(", "))
}

/// Tells what could not be read or settled, and returns the first of it.
pub(super) fn problems<'a>(problems: impl Iterator<Item = &'a Error>) -> Option<Error> {
    let mut first = None;
    for problem in problems {
        match &first {
            None => first = Some(problem.clone()),
            Some(_) => note(&problem.to_string()),
        }
    }
    first
}
