//! `outlast prune`: removes what is over and old enough.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use outlast::retention::{Policies, Sweep, Sweeper, Tally};
use outlast::{Error, Result};
use serde::Serialize;

use crate::context::{Access, Context};
use crate::duration;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Progress, Table, note};
use crate::signals::Signals;

/// Remove what is over and old enough, with all that belongs to it
///
/// Runs go with their tasks and the tasks' output, each as a whole; commands with their output,
/// pipelines with their stages, windows with their items. What is not over stays, however old.
/// When the clock jumped since the last time, or the last time is long ago, nothing is removed and
/// the exit code is 4: prune again, or use --force. With --json: {"dry_run", "removed": {kind:
/// {"count", "bytes"}}, "runs", "tasks", "log_entries", "log_bytes": the same for these, as
/// numbers, "held_back": why nothing was removed, or null, "unreadable": how much was kept because
/// something of it cannot be read}.
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Remove only these: swarm, agent, session, window, artifact, consumption, event, commit,
    /// command, pipeline, run, log or checkpoint
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    kind: Vec<String>,

    /// How long it must have been over, as in 12h or 30d [default: as configured for each kind]
    #[arg(long, value_name = "AGE", value_parser = duration::parse)]
    older_than: Option<Duration>,

    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,

    /// Remove it whatever the clock did
    #[arg(long, conflicts_with = "dry_run")]
    force: bool,
}

#[derive(Serialize)]
struct View<'a> {
    dry_run: bool,
    removed: &'a BTreeMap<String, Tally>,
    runs: u64,
    tasks: u64,
    log_entries: u64,
    log_bytes: u64,
    held_back: Option<&'a str>,
    unreadable: u64,
}

/// What a signal leaves.
const LEFT: &str = "what was removed stays removed; prune again to remove the rest";

pub(crate) async fn run(args: &PruneArgs, context: &mut Context) -> Outcome {
    let policies = policies(args, &context.config.retention)?;
    let access = if args.dry_run { Access::Read } else { Access::Write };
    let mut signals = Signals::listen()?;
    let store = context.open(access).await?;
    let sweeper = Sweeper::new(&store, policies);
    let outcome = signals.until(LEFT, prune(args, &sweeper, context)).await;
    signals.close(store, outcome).await
}

/// What is configured, for the kinds and with the age that were asked for.
fn policies(args: &PruneArgs, configured: &Policies) -> Result<Policies> {
    const CHECKPOINT: &str = "checkpoint";

    let rows: Vec<_> = configured.ages().collect();
    let is_row = |kind: &str| kind == CHECKPOINT || rows.iter().any(|(row, _)| *row == kind);
    if let Some(unknown) = args.kind.iter().find(|kind| !is_row(kind)) {
        let rows: Vec<_> = rows.iter().map(|(row, _)| *row).chain([CHECKPOINT]).collect();
        let rows = rows.join(", ");
        return Err(Error::invalid(format!("--kind: {unknown:?} is none of {rows}")));
    }
    let is_named = |kind: &str| args.kind.iter().any(|named| named == kind);
    let is_wanted = |kind: &str| args.kind.is_empty() || is_named(kind);
    let mut policies = configured.clone();
    for (row, age) in rows {
        let age = match args.older_than {
            _ if !is_wanted(row) => None,
            // What is kept for ever goes only if it is asked for by its name.
            Some(asked) if age.is_some() || is_named(row) => Some(asked),
            _ => age,
        };
        policies = policies.with_age(row, age)?;
    }
    if !is_wanted(CHECKPOINT) {
        policies.checkpoints = u32::MAX;
    }
    if !is_wanted("log") {
        (policies.log_bytes, policies.log_entries) = (None, None);
    }
    Ok(policies)
}

async fn prune(args: &PruneArgs, sweeper: &Sweeper, context: &mut Context) -> Outcome {
    let progress = Progress::start("prune", context.out.is_json());
    let sweep = if args.dry_run {
        sweeper.preview().await?
    } else {
        sweep(args.force, sweeper, progress).await?
    };
    show(&mut context.out, &sweep)?;
    // What cannot be read was kept; that is not passed over in silence.
    match sweep.problems.into_iter().next() {
        Some(error) => Err(error.into()),
        None if sweep.held_back.is_some() => Ok(Exit::Refused),
        None => Ok(Exit::Completed),
    }
}

/// Slice by slice, until there is no more.
async fn sweep(force: bool, sweeper: &Sweeper, mut progress: Progress) -> Result<Sweep> {
    let mut all = Sweep::default();
    loop {
        let slice = if force { sweeper.force().await? } else { sweeper.tick().await? };
        if slice.held_back.is_some() {
            let whole = sweeper.preview().await?;
            return Ok(Sweep { held_back: slice.held_back, ..whole });
        }
        for (kind, Tally { count, bytes }) in slice.removed {
            let tally = all.removed.entry(kind).or_default();
            (tally.count, tally.bytes) = (tally.count + count, tally.bytes + bytes);
        }
        all.unreadable += slice.unreadable;
        all.problems.extend(slice.problems);
        all.problems.truncate(Sweep::MOST_NAMED);
        progress.reached(all.total().count);
        if !slice.has_more {
            return Ok(all);
        }
    }
}

fn show(out: &mut Output, sweep: &Sweep) -> Result<(), Failure> {
    let Tally { count: log_entries, bytes: log_bytes } = sweep.of("log");
    if out.is_json() {
        return out.json(&View {
            dry_run: sweep.dry_run,
            removed: &sweep.removed,
            runs: sweep.of("run").count,
            tasks: sweep.of("task").count,
            log_entries,
            log_bytes,
            held_back: sweep.held_back.as_deref(),
            unreadable: sweep.unreadable,
        });
    }
    let mut table = Table::new(&["KIND", "COUNT", "BYTES"]);
    for (kind, Tally { count, bytes }) in &sweep.removed {
        table.row([kind.clone(), count.to_string(), bytes.to_string()]);
    }
    table.print(out)?;
    let done = if sweep.dry_run { "would be removed" } else { "were removed" };
    let Tally { count, bytes } = sweep.total();
    out.line(&format!("{count} records with {bytes} bytes of content {done}"))?;
    if sweep.unreadable > 0 {
        out.line(&format!("{} were kept because they cannot be read", sweep.unreadable))?;
    }
    if let Some(why) = &sweep.held_back {
        note(&format!("nothing was removed: {why}; prune again, or use --force"));
    }
    Ok(())
}
