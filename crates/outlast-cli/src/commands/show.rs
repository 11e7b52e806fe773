//! `outlast show`: one task whole.

use clap::Args;
use outlast::{
    AttrName, AttrValue, Entry, Filter, HistoryQuery, Key, Page, Result, Scope, Status as _, Store,
    Stored, StreamQuery, Task, Timestamp,
};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Table, moment};
use crate::target;
use crate::view::{TASK_HEADINGS, TaskView, ending, task_row, took};

/// Show a task with its attempts, its changes of status and the size of its output
///
/// With --json: {"task": as in ps, "attempts": [{"id", "attempt", "status"}], "transitions":
/// [{"from": status or null, "to", "at", "version", "actor", "reason"}], "log": {"entries",
/// "stdout_bytes", "stderr_bytes", "system_bytes"}}.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The task: its id, the beginning of it, or its name in the newest run
    #[arg(value_name = "ID")]
    task: String,
}

#[derive(Serialize)]
struct View<'a> {
    task: TaskView<'a>,
    attempts: Vec<AttemptView<'a>>,
    transitions: Vec<Transition>,
    log: LogSize,
}

#[derive(Serialize)]
struct AttemptView<'a> {
    id: &'a str,
    attempt: u32,
    status: &'static str,
}

#[derive(Serialize)]
struct Transition {
    from: Option<String>,
    to: String,
    at: Timestamp,
    version: u64,
    actor: Option<String>,
    reason: Option<String>,
}

#[derive(Default, Serialize)]
struct LogSize {
    entries: u64,
    stdout_bytes: u64,
    stderr_bytes: u64,
    system_bytes: u64,
}

impl<'a> AttemptView<'a> {
    fn of(task: &'a Stored<Task>) -> Self {
        Self { id: task.id(), attempt: task.attempt, status: task.status.as_str() }
    }
}

pub(crate) async fn run(args: &ShowArgs, store: &Store, context: &mut Context) -> Outcome {
    let task = target::task(store, &args.task).await?;
    let attempts = target::attempts(store, &task.run_id, &task.spec.name).await?;
    let transitions = transitions(store, &task.key).await?;
    let log = log_size(store, task.id()).await?;
    if context.out.is_json() {
        let attempts = attempts.iter().map(AttemptView::of).collect();
        let view = View { task: TaskView::of(&task), attempts, transitions, log };
        context.out.json(&view)?;
    } else {
        print(&mut context.out, &task, &attempts, &transitions, &log)?;
    }
    Ok(Exit::Completed)
}

/// The changes of status in the history, the oldest first.
async fn transitions(store: &Store, key: &Key) -> Result<Vec<Transition>> {
    let mut query = HistoryQuery::of(Scope::Entity(key.clone()));
    let mut transitions: Vec<Transition> = Vec::new();
    loop {
        let page = store.history(&query).await?;
        for version in page.items {
            let version = version?;
            let Some(AttrValue::Text(status)) = version.attrs.get(&AttrName::status()) else {
                continue;
            };
            let from = transitions.last().map(|before| before.to.clone());
            if from.as_deref() == Some(status) {
                continue;
            }
            transitions.push(Transition {
                from,
                to: status.to_string(),
                at: version.at,
                version: version.version.n,
                actor: version.actor.map(|actor| actor.to_string()),
                reason: version.reason,
            });
        }
        match page.next {
            Some(next) => query.page = query.page.after(next),
            None => return Ok(transitions),
        }
    }
}

/// How much was written in all, what was pruned since included.
async fn log_size(store: &Store, id: &str) -> Result<LogSize> {
    let last = last_entry(store, id, None).await?;
    Ok(LogSize {
        entries: last.map_or(0, |entry| entry.seq.0),
        stdout_bytes: written(store, id, "stdout").await?,
        stderr_bytes: written(store, id, "stderr").await?,
        system_bytes: written(store, id, "system").await?,
    })
}

/// Where the last fragment of one stream ends.
async fn written(store: &Store, id: &str, stream: &str) -> Result<u64> {
    let Some(last) = last_entry(store, id, Some(stream)).await? else { return Ok(0) };
    let offset = match last.attrs.get(&AttrName::new("byte_offset")?) {
        Some(AttrValue::Int(offset)) => u64::try_from(*offset).unwrap_or(0),
        _ => 0,
    };
    Ok(offset + last.data.len() as u64)
}

async fn last_entry(store: &Store, id: &str, stream: Option<&str>) -> Result<Option<Entry>> {
    let mut query = StreamQuery::of(Key::new(Task::LOG, id)?);
    (query.newest_first, query.page) = (true, Page::first(1));
    if let Some(stream) = stream {
        query.filters.push(Filter::is(AttrName::new("stream")?, stream));
    }
    loop {
        let page = store.read(&query).await?;
        if let Some(entry) = page.items.into_iter().next() {
            return Ok(Some(entry?));
        }
        match page.next {
            Some(next) => query.page = query.page.after(next),
            None => return Ok(None),
        }
    }
}

fn print(
    out: &mut Output,
    task: &Stored<Task>,
    attempts: &[Stored<Task>],
    transitions: &[Transition],
    log: &LogSize,
) -> Result<(), Failure> {
    let mut facts = vec![
        ("task", task.spec.name.clone()),
        ("id", task.id().to_owned()),
        ("run", task.run_id.clone()),
        ("command", task.spec.command.to_string()),
        ("status", task.status.as_str().to_owned()),
        ("attempt", task.attempt.to_string()),
        ("version", task.version.to_string()),
        ("created", moment(task.created_at)),
    ];
    let mut known = |name, fact: Option<String>| facts.extend(fact.map(|fact| (name, fact)));
    known("folder", task.spec.cwd.clone());
    known("started", task.started_at.map(moment));
    known("finished", task.finished_at.map(moment));
    known("took", took(task));
    known("process", task.process.as_ref().map(|process| process.pid.to_string()));
    known("exit", ending(task));
    known("error", task.error.clone());
    known("retry of", task.retry_of.clone());
    let LogSize { entries, stdout_bytes, stderr_bytes, system_bytes } = log;
    let size = format!(
        "{stdout_bytes} bytes of stdout, {stderr_bytes} of stderr, {system_bytes} of notes, in {entries} entries"
    );
    facts.push(("output", size));
    for (name, fact) in facts {
        out.line(&format!("{name:<9} {fact}"))?;
    }
    out.line("")?;
    let mut table = Table::new(&["VERSION", "AT", "FROM", "TO", "BY", "REASON"]);
    for change in transitions {
        table.row([
            change.version.to_string(),
            moment(change.at),
            change.from.clone().unwrap_or_else(|| "-".to_owned()),
            change.to.clone(),
            change.actor.clone().unwrap_or_else(|| "-".to_owned()),
            change.reason.clone().unwrap_or_default(),
        ]);
    }
    table.print(out)?;
    if attempts.len() > 1 {
        out.line("")?;
        let mut table = Table::new(&TASK_HEADINGS);
        for task in attempts {
            table.row(task_row(task));
        }
        table.print(out)?;
    }
    Ok(())
}
