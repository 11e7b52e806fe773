//! A pipeline over folders of this machine, run.

mod live;
mod refusal;
mod report;

use std::sync::Arc;

use outlast::fleet::pipeline::{
    Conductor, ConductorOptions, OnTimeout, PipelineState, Pipelines, Progress,
};
use outlast::fleet::{Fleet, LocalExecutor};
use outlast::process::FlushPolicy;
use outlast::{Host, Instance, Result, Shutdown, Store};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::commands::run::RunArgs;
use crate::commands::run::follow::{EVENTS, follow};
use crate::commands::run::pipeline::live::Live;
use crate::commands::run::signals::Listener;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::jobs::{LocalHost, PipelineFile};

pub(super) async fn run(
    args: &RunArgs,
    file: Option<&PipelineFile>,
    store: &Store,
    context: &mut Context,
) -> Outcome {
    let signals = Listener::start()?;
    // Before the right to drive is taken, so that a refusal writes nothing.
    let newest = match outlast::driver(store).await? {
        // That somebody has it goes first.
        Some(_) => None,
        None => refusal::newest(store, file, args.resume).await?,
    };
    let instance = Instance::acquire(store, args.take_over).await?;
    let outcome = async {
        let state = match (newest, file) {
            (Some(newest), _) => newest,
            (None, Some(file)) => start(&instance, file).await?,
            (None, None) => return Err(refusal::nothing().into()),
        };
        run_with(&instance, args, &state, signals.shutdown(), context).await
    };
    let outcome = outcome.await;
    let released = instance.release().await;
    let exit = outcome?;
    released?;
    Ok(exit)
}

async fn run_with(
    instance: &Instance,
    args: &RunArgs,
    state: &PipelineState,
    shutdown: &Shutdown,
    context: &mut Context,
) -> Outcome {
    let (sender, progress) = mpsc::channel(EVENTS);
    let conductor = conductor(instance, args, sender, context)?;
    let mut live = Live::start(state, context.out.is_json());
    // Nobody who reads the output, or stops reading it, has a say in whether commands run.
    let mut shown = report::begun(state, &mut context.out);
    let driving = drive(&conductor, state.pipeline.id(), shutdown);
    let state = follow(driving, progress, |progress| {
        live.show(progress);
        if shown.is_ok() {
            shown = report::progress(progress, &mut context.out);
        }
    })
    .await?;
    live.finish(conductor.unsent());
    let exit = report::exit(&state);
    if shown.is_ok() {
        shown = report::summary(&state, exit, &mut context.out);
    }
    match shown {
        // What became of the work is more than whether it could be told, as on a closed terminal.
        Err(Failure::Failed(error)) if exit == Exit::Completed => Err(error.into()),
        _ => Ok(exit),
    }
}

fn conductor(
    instance: &Instance,
    args: &RunArgs,
    progress: mpsc::Sender<Progress>,
    context: &Context,
) -> Result<Conductor> {
    let (config, usual) = (&context.config, ConductorOptions::default());
    let options = ConductorOptions {
        max_concurrent: args.max_concurrent.map_or(usual.max_concurrent, usize::from),
        grace: config.grace,
        on_timeout: OnTimeout::Kill,
        progress: Some(progress),
    };
    let flush = FlushPolicy { interval: config.flush_interval, ..FlushPolicy::default() };
    let executor = LocalExecutor::new(instance.store().clock().clone());
    Conductor::new(instance, Arc::new(executor.reading(flush, config.grace)), options)
}

/// On a thread of its own, so that a terminal that is held does not hold the pipeline.
fn drive(
    conductor: &Conductor,
    pipeline_id: &str,
    shutdown: &Shutdown,
) -> JoinHandle<Result<PipelineState>> {
    let (conductor, shutdown) = (conductor.clone(), shutdown.clone());
    let pipeline_id = pipeline_id.to_owned();
    tokio::spawn(async move { conductor.drive(&pipeline_id, &shutdown).await })
}

/// Registers the hosts of a file, and records its pipeline.
async fn start(instance: &Instance, file: &PipelineFile) -> Result<PipelineState> {
    let store = instance.store();
    let fleet = Fleet::driven_by(instance);
    for host in &file.hosts {
        host.prepare()?;
        register(&fleet, store, host).await?;
    }
    let pipeline = Pipelines::of(store).create(&file.definition).await?;
    PipelineState::read(store, pipeline.id()).await
}

/// Registers a folder as a host, or moves a host to this folder.
async fn register(fleet: &Fleet, store: &Store, host: &LocalHost) -> Result<()> {
    let (hosts, cwd) = (fleet.hosts(), Some(host.cwd.clone()));
    match store.kind::<Host>().find(&host.name).await? {
        None => {
            let known = Host { cwd, ..Host::new(&host.name, store.clock().now()) };
            hosts.register(&host.name, known).await?;
        }
        Some(known) if known.cwd == cwd => {}
        Some(known) if known.cwd.is_none() => return Err(refusal::foreign(&known)),
        Some(_) => {
            let move_there = |known: &mut Host| {
                known.cwd.clone_from(&cwd);
                Ok(())
            };
            hosts.update(&host.name, move_there).await?;
        }
    }
    Ok(())
}
