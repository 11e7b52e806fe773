//! A file of tasks, run.

mod live;
mod report;

use outlast::process::FlushPolicy;
use outlast::tasks::{self, Event, Resumed, RunState, Runner, RunnerOptions, Shutdown, TaskFile};
use outlast::{Result, Run, Store, Stored};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::commands::run::RunArgs;
use crate::commands::run::follow::{EVENTS, follow};
use crate::commands::run::signals::Listener;
use crate::commands::run::task::live::Live;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

pub(super) async fn run(
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
