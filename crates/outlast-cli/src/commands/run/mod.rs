//! `outlast run`: runs a file of tasks, or of a pipeline.

mod follow;
mod moving;
mod pipeline;
mod signals;
mod task;

use std::path::PathBuf;

use clap::Args;
use outlast::fleet::pipeline::PipelineState;
use outlast::tasks::RunState;
use outlast::{Error, Location, OpenOptions, Result, Status as _, Store, StoreOptions, TaskStatus};

use crate::commands::run::moving::Opened;
use crate::context::{Access, Context};
use crate::failure::Outcome;
use crate::jobs::{self, Work};

/// Run a file of tasks or of a pipeline, or take one up again
///
/// A file of tasks holds one [[task]] table per task: name, command (a text for sh -c, or a list of
/// a program and its arguments), and if wanted cwd, env, recovery (restart, interrupted or failed),
/// max_attempts, idle_threshold_ms, and on_idle (mark or interrupt).
///
/// A file of a pipeline says name and, if wanted, recovery on top: resume, as it is by itself, or
/// orphan, which keeps --resume from doing again what was under way. Then one [[host]] table per
/// folder to work in: name, cwd (beside the file, if it is not absolute), and create = true if the
/// folder is to be made. Then one [[stage]] table per stage: name, command, and if wanted env,
/// warning_ms, timeout_ms and retryable. Each stage runs on all hosts at once, in OUTLAST_HOST_ID's
/// folder, when the one before is over everywhere. A host that fails drops out. What takes longer
/// than timeout_ms is ended.
///
/// An interrupt, termination or hangup signal asks what runs to end and leaves the rest waiting; a
/// second one kills it.
///
/// With --json one object per line. Of tasks: {"event": "run", "run": ID, "file", "tasks": how
/// many, "added": [NAME], "unnamed": [NAME]}, then for each task that --resume found unsettled
/// {"event": "recovered", "task_id", "name", "found": status, "outcome", "stopped": [PID]}, for each
/// change {"event": "task", "at", "task_id", "name", "attempt", "status", "pid", "exit_code",
/// "signal", "error"}, and last {"event": "summary", "run", "file", "outcome", "tasks": {"total",
/// "created", "running", "idle", "completed", "failed", "interrupted"}, "problems", "exit_code"}.
///
/// Of a pipeline: {"event": "run", "pipeline": ID, "name", "status", "stages": [NAME], "hosts":
/// [NAME]}, for each change of a stage on a host {"event": "stage", "at", "pipeline_id", "stage":
/// from 0, "op", "host_id", "status", "command_id", "exit_code", "error"}, of the pipeline {"event":
/// "pipeline", "at", "pipeline_id", "status", "current_stage"}, and last {"event": "summary",
/// "pipeline", "name", "outcome", "current_stage", "outcomes": {"pending", "running", "success",
/// "failed", "skipped", "cancelled"}, "error", "exit_code"}.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The file of tasks, or of a pipeline
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,

    /// Take the newest run or pipeline up again: stop what survived, recover what ran, go on with
    /// the rest
    #[arg(long)]
    resume: bool,

    /// With --resume: make new attempts at tasks that ended so: interrupted, failed or completed
    #[arg(long, value_name = "STATUS,...", value_delimiter = ',', requires = "resume")]
    #[arg(value_parser = settled)]
    retry: Vec<TaskStatus>,

    /// Run at most so many tasks at once [default: 5, or as configured]; of a pipeline, a stage on
    /// so many hosts [default: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    max_concurrent: Option<u16>,

    /// Keep everything in memory: nothing is written, and nothing can be resumed
    #[arg(long, conflicts_with_all = ["resume", "db"])]
    no_persist: bool,

    /// A database to move kinds to while tasks run, from memory (--db memory:) or from another
    /// database, as outlast migrate state orders it through the control socket; what is there
    /// already is taken up again
    #[arg(long, value_name = "URL", conflicts_with = "no_persist")]
    migrate_to: Option<Location>,

    /// With --migrate-to: where to listen for orders [default: control.sock in the state directory]
    #[arg(long, value_name = "PATH", requires = "migrate_to")]
    control: Option<PathBuf>,

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

pub(crate) async fn run(args: RunArgs, context: &mut Context) -> Outcome {
    // First of all, so that a wrong file leaves no store behind.
    let work = args.file.as_deref().map(|path| jobs::read(path, &context.config)).transpose()?;
    if !args.retry.is_empty() && matches!(work, Some(Work::Pipeline(_))) {
        return Err(Error::invalid("--retry is for tasks: a pipeline has none").into());
    }
    let opened = open(&args, context).await?;
    let store = opened.store();
    let outcome = match &work {
        Some(Work::Tasks(file)) => task::run(&args, Some(file), store, context).await,
        Some(Work::Pipeline(file)) => pipeline::run(&args, Some(file), store, context).await,
        None => resume(&args, store, context).await,
    };
    opened.close(outcome).await
}

/// Takes up whatever is not finished; of both, or of neither, the newer.
async fn resume(args: &RunArgs, store: &Store, context: &mut Context) -> Outcome {
    if args.retry.is_empty() && is_pipeline_next(store).await? {
        pipeline::run(args, None, store, context).await
    } else {
        task::run(args, None, store, context).await
    }
}

async fn is_pipeline_next(store: &Store) -> Result<bool> {
    let Some(pipeline) = PipelineState::newest(store).await? else { return Ok(false) };
    let Some(run) = RunState::newest(store).await? else { return Ok(true) };
    Ok(match (pipeline.is_over(), run.is_finished()) {
        (false, true) => true,
        (true, false) => false,
        // Ids grow.
        _ => pipeline.pipeline.id() > run.run.id(),
    })
}

async fn open(args: &RunArgs, context: &Context) -> Result<Opened> {
    if args.no_persist {
        let (open, options) = (OpenOptions::default(), StoreOptions::default());
        return Location::Memory.open(open, options).await.map(Opened::Store);
    }
    if context.config.db == Location::Memory || args.migrate_to.is_some() {
        return moving::open(args, context).await;
    }
    let access = if args.file.is_some() { Access::Create } else { Access::Write };
    context.open(access).await.map(Opened::Store)
}
