//! `outlast ps`: which tasks there are.

use std::pin::pin;

use clap::Args;
use futures_util::StreamExt as _;
use outlast::tasks::RunState;
use outlast::{AttrName, Error, Filter, Page, Run, Status as _, Store, Stored, Task, TaskStatus};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::listing::EntityView;
use crate::output::{Table, note};
use crate::runs;
use crate::view::{TASK_HEADINGS, task_row};

/// List the tasks of the newest run, one row per attempt
///
/// With --json: {"run": ID or null, "tasks": [{"id", "version", "updated_at", "run_id", "name",
/// "command", "recovery", "idle_threshold_ms", "on_idle", "status", "attempt", "created_at", and
/// where there is one "cwd", "env", "max_attempts", "retry_of", "started_at", "finished_at",
/// "process": {"pid", ...}, "owner_instance", "exit_code", "signal", "error"}], "more": whether
/// the limit cut the list short}.
#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// List the tasks of all runs
    #[arg(long, conflicts_with = "run")]
    all: bool,

    /// List the tasks of this run
    #[arg(long, value_name = "ID")]
    run: Option<String>,

    /// List only tasks that are created, running, idle, interrupted, completed or failed
    #[arg(long, value_parser = TaskStatus::parse)]
    status: Option<TaskStatus>,

    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Serialize)]
struct View<'a> {
    run: Option<&'a str>,
    tasks: Vec<EntityView<'a, Task>>,
    more: bool,
}

pub(crate) async fn run(args: &PsArgs, store: &Store, context: &mut Context) -> Outcome {
    let run = match &args.run {
        Some(id) => Some(store.kind::<Run>().get(id).await?),
        None if args.all => None,
        None => RunState::newest_run(store).await?,
    };
    let run = run.as_ref().map(Stored::id);
    let (mut tasks, damaged) = match (run, args.all) {
        (None, false) => (Vec::new(), Vec::new()),
        _ => collect(args, store, run).await?,
    };
    let more = tasks.len() > args.limit as usize;
    tasks.truncate(args.limit as usize);
    show(context, run, &tasks, more)?;
    // One that cannot be read hides no other, but is not passed over in silence.
    match damaged.into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(Exit::Completed),
    }
}

/// The tasks asked for, one more than the limit if there are more, and those that cannot be read.
async fn collect(
    args: &PsArgs,
    store: &Store,
    run: Option<&str>,
) -> Result<(Vec<Stored<Task>>, Vec<Error>), Failure> {
    let mut query = runs::tasks(store, run)?;
    if let Some(status) = args.status {
        query = query.filter(Filter::is(AttrName::status(), status.as_str()));
    }
    query.page = Page::first(store.info().limits.page.min(256));
    let mut stream = pin!(store.kind::<Task>().stream(query));
    let (mut tasks, mut damaged) = (Vec::new(), Vec::new());
    while tasks.len() <= args.limit as usize
        && let Some(task) = stream.next().await
    {
        match task {
            Ok(task) => tasks.push(task),
            Err(error) if error.is_of_one_record() => damaged.push(error),
            Err(error) => return Err(error.into()),
        }
    }
    Ok((tasks, damaged))
}

fn show(
    context: &mut Context,
    run: Option<&str>,
    tasks: &[Stored<Task>],
    more: bool,
) -> Result<(), Failure> {
    if context.out.is_json() {
        let tasks = tasks.iter().map(EntityView::of).collect();
        return context.out.json(&View { run, tasks, more });
    }
    let mut table = Table::new(&TASK_HEADINGS);
    for task in tasks {
        table.row(task_row(task));
    }
    table.print(&mut context.out)?;
    if more {
        note(&format!("there are more than {}; --limit shows more", tasks.len()));
    }
    Ok(())
}
