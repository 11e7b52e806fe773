//! `outlast copy`: everything one store holds, into another.

use clap::Args;
use outlast::transfer::{self, Imported, Phase, Progress as Step};
use outlast::{Error, Location, OpenOptions, Result, Store, StoreOptions};
use serde_json::json;

use crate::context::{Context, must_be};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Progress};
use crate::signals::Signals;

/// Copy everything one store holds into another, while nobody uses them
///
/// Versions, history, audit, checkpoints, output and events go over under the same numbers.
/// Copying again adds what is new, and completes a copy that was cut off. Where the other store
/// holds other content under the same version, that is left as it is and named, and the program
/// exits with 6. With --json: {"from", "to", "entities", "entries": how many were added,
/// "diverged": how many differ, "divergences": [{"key", "why"}], at most 1000 of them}.
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// The store to copy
    #[arg(long, value_name = "URL")]
    from: Location,

    /// The store to copy into, made if it is not there
    #[arg(long, value_name = "URL")]
    to: Location,
}

/// What a signal leaves.
const PART: &str = "what was copied stays; copy again to complete it";

pub(crate) async fn run(args: &CopyArgs, context: &mut Context) -> Outcome {
    if [&args.from, &args.to].contains(&&Location::Memory) {
        return Err(Error::invalid("what is in memory is gone when the program ends").into());
    }
    if args.from == args.to {
        return Err(Error::invalid("--from and --to are the same store").into());
    }
    must_be(&args.from)?;
    let mut signals = Signals::listen()?;
    let from = open(&args.from, source(&args.from)).await?;
    let outcome = match open(&args.to, OpenOptions::default()).await {
        Ok(to) => {
            let outcome = signals.until(PART, copy(args, (&from, &to), context)).await;
            signals.close(to, outcome).await
        }
        Err(error) => Err(error.into()),
    };
    signals.close(from, outcome).await
}

/// It is only read, as far as its backend can promise that.
fn source(location: &Location) -> OpenOptions {
    match location {
        Location::Sled(_) => OpenOptions::existing(),
        _ => OpenOptions::read_only(),
    }
}

async fn open(location: &Location, open: OpenOptions) -> Result<Store> {
    location.open(open, StoreOptions::default()).await
}

async fn copy(args: &CopyArgs, (from, to): (&Store, &Store), context: &mut Context) -> Outcome {
    let mut progress = Progress::start("copy", context.out.is_json());
    let mut listener = |step: Step| {
        if step.phase == Phase::Importing {
            progress.reached(step.done.entities + step.done.entries);
        }
    };
    let copied = transfer::copy(from, to, &mut listener).await?;
    let Imported { entities, entries, diverged, .. } = copied;
    progress.finish(&format!(
        "{entities} entities and {entries} stream entries were added, {diverged} differ"
    ));
    let exit = if diverged == 0 { Exit::Completed } else { Exit::Damaged };
    match show(args, &copied, &mut context.out) {
        Ok(()) | Err(Failure::Unread) => Ok(exit),
        Err(failure) => Err(failure),
    }
}

fn show(args: &CopyArgs, copied: &Imported, out: &mut Output) -> Result<(), Failure> {
    let Imported { entities, entries, diverged, divergences, .. } = copied;
    let divergences = || divergences.iter().map(|found| (found.key.to_string(), &found.why));
    if out.is_json() {
        let divergences: Vec<_> =
            divergences().map(|(key, why)| json!({"key": key, "why": why})).collect();
        return out.json(&json!({
            "from": args.from.to_string(),
            "to": args.to.to_string(),
            "entities": entities,
            "entries": entries,
            "diverged": diverged,
            "divergences": divergences,
        }));
    }
    divergences().try_for_each(|(key, why)| out.line(&format!("differs: {key}: {why}")))?;
    out.line(&format!("next: outlast verify --db {}", args.to))
}
