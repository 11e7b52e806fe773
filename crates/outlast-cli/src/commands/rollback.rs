//! `outlast rollback`: makes an older version of an entity its new one.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use outlast::{Key, Store, store::Restored};
use serde::Serialize;

use crate::context::{Access, Context, cause};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::signals::Signals;

/// Make an older version of an entity its new one, with a checkpoint of what is there
///
/// Both happen in one commit. Only the record goes back: nothing outside the store does, nor do
/// other entities. Kinds that mirror something outside, such as tasks, commands, hosts, pipelines
/// and windows, are refused with exit code 2, and a version that was never there, was pruned or
/// is a deletion with 4. history lists the versions. With --json: {"kind", "id", "version": the
/// new one, "epoch", "at", "checkpoint": the ID of the checkpoint}.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The kind of the entity, such as swarm, agent, session or one of your own
    kind: String,

    /// Its id
    id: String,

    /// The number of the version to go back to
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    version: u64,

    /// Why, for the audit
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,

    /// Do it only if this is the number of the present version
    #[arg(long, value_name = "VERSION")]
    expect: Option<u64>,
}

/// What a signal leaves.
const LEFT: &str = "it is rolled back or not; history tells which";

pub(crate) async fn run(args: &RollbackArgs, context: &mut Context) -> Outcome {
    let key = Key::new(&args.kind, &args.id)?;
    let mut signals = Signals::listen()?;
    let store = context.open(Access::Write).await?;
    let outcome = signals.until(LEFT, roll_back(args, &key, &store, context)).await;
    signals.close(store, outcome).await
}

async fn roll_back(
    args: &RollbackArgs,
    key: &Key,
    store: &Store,
    context: &mut Context,
) -> Outcome {
    let cause = cause(&args.reason)?;
    let restored = match args.expect {
        Some(expected) => store.rollback_from(key, expected, args.version, cause).await?,
        None => store.rollback(key, args.version, cause).await?,
    };
    show(&mut context.out, &restored, &format!("version {}", args.version))?;
    Ok(Exit::Completed)
}

#[derive(Serialize)]
struct View<'a> {
    kind: &'a str,
    id: &'a str,
    version: u64,
    epoch: u64,
    at: outlast::Timestamp,
    checkpoint: &'a str,
}

/// Says what going back to `goal` did.
pub(crate) fn show(out: &mut Output, restored: &Restored, goal: &str) -> Result<(), Failure> {
    let Restored { key, version, at, checkpoint } = restored;
    if out.is_json() {
        let (kind, id) = (key.kind.as_str(), key.id());
        let (version, epoch, at) = (version.n, version.epoch.0, *at);
        return out.json(&View { kind, id, version, epoch, at, checkpoint });
    }
    out.line(&format!("{key} has the content of {goal} again, as version {version}"))?;
    out.line(&format!("what was there before is checkpoint {checkpoint}"))
}
