//! `outlast recover`: settles what a program that is gone left unfinished.

use std::time::Duration;

use clap::Args;
use outlast::recovery::{self, Problem, RecoveryOptions, RecoveryReport, Table};
use outlast::{Instance, Result, Store};
use serde::Serialize;

use crate::config::overrides;
use crate::context::{Access, Context};
use crate::duration;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Table as Rows, words};
use crate::signals::Signals;

/// Settle what a program that is gone left unfinished, as run --resume does for its tasks
///
/// Each entity that is not over is dealt with by its state: a running agent has failed, a command
/// under way is orphaned, a task is interrupted unless it asks for more. Refused with exit code 4
/// while another process drives the store. Exits with 6 if something cannot be read, else with 1
/// if something could not be done. With --json: {"dry_run", "outcomes": {kind: {outcome: count}},
/// "changed", "swarms_recovered", "agents_recovered", "sessions_recovered", "commands_recovered",
/// "pipelines_recovered", "tasks_recovered", "windows_recovered", "errors": [{"kind", "id",
/// "reason"}], "error_count", "orphans": [ID of an agent that nobody will begin], "quarantined":
/// [like errors], "started_at", "duration_ms"}.
#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,

    /// Do something else about a state than is configured, as in agent.running=keep
    #[arg(long, value_name = "KIND.STATE=POLICY", value_delimiter = ',')]
    policy: Vec<String>,

    /// Take over from a process in another container that cannot be seen, but is certainly gone
    #[arg(long, conflicts_with = "dry_run")]
    take_over: bool,
}

#[derive(Serialize)]
struct View<'a> {
    dry_run: bool,
    #[serde(flatten)]
    report: &'a RecoveryReport,
}

/// What a signal leaves.
const LEFT: &str = "what was recovered stays recovered; recover again to deal with the rest";

pub(crate) async fn run(args: &RecoverArgs, context: &mut Context) -> Outcome {
    let table = overrides(&context.config.recover, &args.policy)
        .map_err(|error| error.context("--policy"))?;
    let access = if args.dry_run { Access::Read } else { Access::Write };
    let mut signals = Signals::listen()?;
    let store = context.open(access).await?;
    let outcome = signals.until(LEFT, recover(args, table, &store, context)).await;
    signals.close(store, outcome).await
}

async fn recover(
    args: &RecoverArgs,
    table: Table,
    store: &Store,
    context: &mut Context,
) -> Outcome {
    let mut options = RecoveryOptions::default();
    (options.table, options.grace) = (table, context.config.grace);
    let report = if args.dry_run {
        recovery::preview(store, &options).await?
    } else {
        under_the_lease(store, args.take_over, &options).await?
    };
    if context.out.is_json() {
        context.out.json(&View { dry_run: args.dry_run, report: &report })?;
    } else {
        print(&mut context.out, args.dry_run, &report)?;
    }
    Ok(match &report {
        RecoveryReport { quarantined, .. } if !quarantined.is_empty() => Exit::Damaged,
        RecoveryReport { error_count: 1.., .. } => Exit::WorkFailed,
        _ => Exit::Completed,
    })
}

/// `Fenced` if another process drives the store.
async fn under_the_lease(
    store: &Store,
    take_over: bool,
    options: &RecoveryOptions,
) -> Result<RecoveryReport> {
    let instance = Instance::acquire(store, take_over).await?;
    let report = recovery::recover(&instance, options).await;
    let released = instance.release().await;
    let report = report?;
    released.map(|()| report)
}

fn print(out: &mut Output, dry_run: bool, report: &RecoveryReport) -> Result<(), Failure> {
    let mut table = Rows::new(&["KIND", "OUTCOME", "COUNT"]);
    for (kind, outcomes) in &report.outcomes {
        for (outcome, count) in outcomes {
            table.row([(*kind).to_owned(), words(outcome), count.to_string()]);
        }
    }
    table.print(out)?;
    for Problem { kind, id, reason } in &report.errors {
        out.line(&format!("not recovered: {kind} {id}: {reason}"))?;
    }
    for Problem { kind, id, reason } in &report.quarantined {
        out.line(&format!("unreadable: {kind} {id}: {reason}"))?;
    }
    for agent in &report.orphans {
        out.line(&format!("agent {agent} waits, and nobody who is there will begin it"))?;
    }
    let done = if dry_run { "would be changed" } else { "were changed" };
    let took = duration::display(Duration::from_millis(report.duration_ms));
    out.line(&format!("{} {done}, in {took}", report.changed))
}
