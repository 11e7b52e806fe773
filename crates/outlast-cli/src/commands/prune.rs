//! `outlast prune`: removes what is over and old enough.

use std::time::Duration;

use clap::Args;
use outlast::Store;
use outlast::retention::{self, Report, Retention};
use serde::Serialize;

use crate::context::{Access, Context};
use crate::duration;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Progress};
use crate::signals::Signals;

/// Remove runs that are over and old enough, with their tasks and the tasks' output
///
/// A run goes as a whole, once every task of it has been settled for that long; what is not
/// settled stays, however old. With --json: {"dry_run", "runs", "tasks", "log_entries",
/// "log_bytes", "unreadable": runs that were kept because something of them cannot be read}.
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// How long a run must have been over, as in 12h or 30d [default: 30d, or as configured]
    #[arg(long, value_name = "AGE", value_parser = duration::parse)]
    older_than: Option<Duration>,

    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct View<'a> {
    dry_run: bool,
    #[serde(flatten)]
    report: &'a Report,
}

/// What a signal leaves.
const LEFT: &str = "what was removed stays removed; prune again to remove the rest";

pub(crate) async fn run(args: &PruneArgs, context: &mut Context) -> Outcome {
    let access = if args.dry_run { Access::Read } else { Access::Write };
    let mut signals = Signals::listen()?;
    let store = context.open(access).await?;
    let outcome = signals.until(LEFT, prune(args, &store, context)).await;
    signals.close(store, outcome).await
}

async fn prune(args: &PruneArgs, store: &Store, context: &mut Context) -> Outcome {
    let retention = Retention {
        age: args.older_than.unwrap_or(context.config.task_retention),
        now: store.clock().now(),
        dry_run: args.dry_run,
    };
    let progress = Progress::start("prune", context.out.is_json());
    let report = retention::prune(store, &retention).await?;
    drop(progress);
    show(&mut context.out, args.dry_run, &report)?;
    // What cannot be read was kept; that is not passed over in silence.
    match report.problems.into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(Exit::Completed),
    }
}

fn show(out: &mut Output, dry_run: bool, report: &Report) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(&View { dry_run, report });
    }
    let Report { runs, tasks, log_entries, log_bytes, unreadable, .. } = report;
    let done = if dry_run { "would be removed" } else { "were removed" };
    out.line(&format!(
        "{runs} runs with {tasks} tasks and {log_entries} entries of output, {log_bytes} bytes, {done}"
    ))?;
    if *unreadable > 0 {
        out.line(&format!("{unreadable} were kept because they cannot be read"))?;
    }
    Ok(())
}
