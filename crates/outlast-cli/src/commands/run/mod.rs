//! `outlast run`: runs a file of tasks.

mod live;
mod report;
mod signals;

use std::path::PathBuf;

use clap::Args;
use outlast::process::FlushPolicy;
use outlast::tasks::{self, Event, Resumed, RunState, Runner, RunnerOptions, Shutdown, TaskFile};
use outlast::{
    Error, Location, OpenOptions, Result, Run, Status as _, Store, StoreOptions, Stored, TaskStatus,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::commands::run::live::Live;
use crate::commands::run::signals::Listener;
use crate::context::{Access, Context, close};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::jobs;

/// Run a file of tasks, or take a run up again
///
/// A file holds one [[task]] table per task: name, command (a text for sh -c, or a list of a
/// program and its arguments), and if wanted cwd, env, recovery (restart, interrupted or failed),
/// max_attempts, idle_threshold_ms, and on_idle (mark or interrupt).
///
/// An interrupt, termination or hangup signal asks the tasks that run to end and leaves the others
/// waiting; a second one kills them.
///
/// With --json one object per line: {"event": "run", "run": ID, "file", "tasks": how many,
/// "added": [NAME], "unnamed": [NAME]}, then for each task that --resume found unsettled {"event":
/// "recovered", "task_id", "name", "found": status, "outcome", "stopped": [PID]}, for each change
/// {"event": "task", "at", "task_id", "name", "attempt", "status", "pid", "exit_code", "signal",
/// "error"}, and last {"event": "summary", "run", "file", "outcome", "tasks": {"total", "created",
/// "running", "idle", "completed", "failed", "interrupted"}, "problems", "exit_code"}.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The file of tasks
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,

    /// Take the newest run up again: stop what survived, recover what ran, go on with the rest
    #[arg(long)]
    resume: bool,

    /// With --resume: make new attempts at tasks that ended so: interrupted, failed or completed
    #[arg(long, value_name = "STATUS,...", value_delimiter = ',', requires = "resume")]
    #[arg(value_parser = settled)]
    retry: Vec<TaskStatus>,

    /// Run at most so many tasks at once [default: 5, or as configured]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    max_concurrent: Option<u16>,

    /// Keep everything in memory: nothing is written, and nothing can be resumed
    #[arg(long, conflicts_with_all = ["resume", "db"])]
    no_persist: bool,

    /// Take over from a runner in another container that cannot be seen, but is certainly gone
    #[arg(long)]
    take_over: bool,
}

fn settled(text: &str) -> Result<TaskStatus> {
    let status = TaskStatus::parse(text)?;
    if status.is_settled() {
        return Ok(status);
    }
    Err(Error::invalid(format!("a task that is {text} has not ended; use interrupted or failed")))
}

/// How many events may wait to be shown.
const EVENTS: usize = 4096;

pub(crate) async fn run(args: RunArgs, context: &mut Context) -> Outcome {
    // First of all, so that a wrong file leaves no store behind.
    let file = args.file.as_deref().map(|path| jobs::read(path, &context.config)).transpose()?;
    let store = open(&args, context).await?;
    let outcome = run_in(&args, file.as_ref(), &store, context).await;
    close(store, outcome).await
}

async fn open(args: &RunArgs, context: &Context) -> Result<Store> {
    if args.no_persist {
        return Location::Memory.open(OpenOptions::default(), StoreOptions::default()).await;
    }
    let access = if args.file.is_some() { Access::Create } else { Access::Write };
    context.open(access).await
}

async fn run_in(
    args: &RunArgs,
    file: Option<&TaskFile>,
    store: &Store,
    context: &mut Context,
) -> Outcome {
    let signals = Listener::start()?;
    let (sender, events) = mpsc::channel(EVENTS);
    let config = &context.config;
    let flush = FlushPolicy { interval: config.flush_interval, ..FlushPolicy::default() };
    let options = RunnerOptions {
        max_concurrent: args.max_concurrent.map_or(config.max_concurrent, usize::from),
        grace: config.grace,
        flush,
        take_over: args.take_over,
        events: Some(sender),
        ..RunnerOptions::default()
    };
    // Before the right to drive is taken, so that a refusal writes nothing.
    match file {
        // That somebody has it goes first.
        _ if outlast::driver(store).await?.is_some() => {}
        Some(_) if !args.resume => tasks::check_start(store).await?,
        file => tasks::check_resume(store, file).await?,
    }
    let runner = Runner::acquire(store, options).await?;
    let outcome = run_with(&runner, args, file, (store, events, signals.shutdown()), context).await;
    let released = runner.release().await;
    let exit = outcome?;
    released?;
    Ok(exit)
}

/// What a run is followed with.
type Followed<'a> = (&'a Store, mpsc::Receiver<Event>, &'a Shutdown);

async fn run_with(
    runner: &Runner,
    args: &RunArgs,
    file: Option<&TaskFile>,
    (store, events, shutdown): Followed<'_>,
    context: &mut Context,
) -> Outcome {
    let resumed = tokio::select! {
        resumed = begin(runner, args, file) => resumed?,
        // Recovery may wait for processes that do not end.
        () = shutdown.begun(), if args.resume => {
            let left = "the run was not taken up in full; outlast run --resume goes on with it";
            return Err(Failure::Interrupted(left.to_owned()));
        }
    };
    let before = RunState::read(store, resumed.run.clone()).await?;
    let mut live = Live::start(&before, context.out.is_json());
    // Nobody who reads the output, or stops reading it, has a say in whether tasks run.
    let mut shown = report::begun(&resumed, &before, &mut context.out);
    let driving = drive(runner, resumed.run.clone(), shutdown);
    let state = follow(driving, events, |event| {
        live.show(event);
        if shown.is_ok() {
            shown = report::event(event, &mut context.out);
        }
    })
    .await?;
    live.finish(runner.unsent_events());
    let problems = resumed.problems.iter().chain(&state.problems);
    let exit = report::exit(&state);
    if shown.is_ok() {
        shown = report::summary(&state, exit, &mut context.out);
    }
    let first_problem = report::problems(problems);
    match (first_problem, shown) {
        (Some(error), _) => Err(error.into()),
        // What became of the work is more than whether it could be told, as on a closed terminal.
        (None, Err(Failure::Failed(error))) if exit == Exit::Completed => Err(error.into()),
        (None, _) => Ok(exit),
    }
}

async fn begin(runner: &Runner, args: &RunArgs, file: Option<&TaskFile>) -> Result<Resumed> {
    match file {
        Some(file) if !args.resume => {
            let run = runner.start(file).await?;
            let (recovered, added, unnamed, problems) = Default::default();
            Ok(Resumed { run, recovered, added, unnamed, problems })
        }
        file => runner.resume(file, &args.retry).await,
    }
}

/// On a thread of its own, so that a terminal that is held does not hold the run.
fn drive(runner: &Runner, run: Stored<Run>, shutdown: &Shutdown) -> JoinHandle<Result<RunState>> {
    let (runner, shutdown) = (runner.clone(), shutdown.clone());
    tokio::spawn(async move { runner.drive(&run, &shutdown).await })
}

async fn follow(
    mut driving: JoinHandle<Result<RunState>>,
    mut events: mpsc::Receiver<Event>,
    mut show: impl FnMut(&Event),
) -> Result<RunState> {
    let driven = loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => show(&event),
            driven = &mut driving => break driven,
        }
    };
    while let Ok(event) = events.try_recv() {
        show(&event);
    }
    driven.map_err(|cause| Error::internal("the run broke off").with_source(cause))?
}
