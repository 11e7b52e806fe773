//! `outlast checkpoints`: saved states of entities.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use outlast::{AttrName, Checkpoint, Filter, Key, Store, Stored, Timestamp};
use serde::Serialize;

use crate::commands::{rollback, show};
use crate::context::{Access, Context, cause};
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::listing::{self, Paging, Row};
use crate::output::moment;
use crate::signals::Signals;

/// List, show, make and restore checkpoints: saved states of entities
///
/// With --json, list: {"checkpoints": [{"id", "kind", "entity_id", "version", "epoch", "schema",
/// "reason", "created_at"}], "more": whether there are more after the last}. create: one such
/// object. restore: as rollback. show: as show --kind checkpoint.
#[derive(Debug, Args)]
pub(crate) struct CheckpointsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    List(ListArgs),
    Show(ShowArgs),
    Create(CreateArgs),
    Restore(RestoreArgs),
}

/// List the checkpoints of an entity, or all, the newest first
#[derive(Debug, Args)]
struct ListArgs {
    /// The kind of the entity
    #[arg(requires = "id")]
    kind: Option<String>,

    /// Its id
    id: Option<String>,

    #[command(flatten)]
    paging: Paging,
}

/// Show a checkpoint with what it holds
#[derive(Debug, Args)]
struct ShowArgs {
    /// Its id, or the beginning of it
    id: String,
}

/// Save what an entity is now
#[derive(Debug, Args)]
struct CreateArgs {
    /// The kind of the entity
    kind: String,

    /// Its id
    id: String,

    /// What it is saved for
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

/// Make what a checkpoint holds the new version of its entity, as rollback does
#[derive(Debug, Args)]
struct RestoreArgs {
    /// The id of the checkpoint
    id: String,

    /// Why, for the audit
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

#[derive(Serialize)]
struct View<'a> {
    id: &'a str,
    kind: &'a str,
    entity_id: &'a str,
    version: u64,
    epoch: u64,
    schema: u32,
    reason: &'a str,
    created_at: Timestamp,
}

impl<'a> View<'a> {
    fn of(stored: &'a Stored<Checkpoint>) -> Self {
        let Checkpoint { of, version, schema, reason, created_at, .. } = &**stored;
        let (kind, entity_id) = (of.kind.as_str(), of.id());
        let (n, epoch, schema, created_at) = (version.n, version.epoch.0, *schema, *created_at);
        Self { id: stored.id(), kind, entity_id, version: n, epoch, schema, reason, created_at }
    }
}

/// What a signal leaves.
const LEFT: &str = "it was done or not; checkpoints list tells which";

pub(crate) async fn run(args: &CheckpointsArgs, context: &mut Context) -> Outcome {
    let access = match args.what {
        What::List(_) | What::Show(_) => Access::Read,
        What::Create(_) | What::Restore(_) => Access::Write,
    };
    let mut signals = Signals::listen()?;
    let store = context.open(access).await?;
    let work = async {
        match &args.what {
            What::List(args) => list(args, &store, context).await,
            What::Show(args) => show::one::<Checkpoint>(&args.id, &store, context).await,
            What::Create(args) => create(args, &store, context).await,
            What::Restore(args) => restore(args, &store, context).await,
        }
    };
    let outcome = signals.until(LEFT, work).await;
    signals.close(store, outcome).await
}

async fn list(args: &ListArgs, store: &Store, context: &mut Context) -> Outcome {
    let mut query = store.kind::<Checkpoint>().query()?;
    if let (Some(kind), Some(id)) = (&args.kind, &args.id) {
        let group = Checkpoint::group_of(&Key::new(kind, id)?);
        query = query.filter(Filter::is(AttrName::group(), group.as_str()));
    }
    let found = listing::collect::<Checkpoint>(store, query, &args.paging).await?;
    let views: Vec<_> = found.items.iter().map(View::of).collect();
    listing::show(&found, &views, cells, context)
}

async fn create(args: &CreateArgs, store: &Store, context: &mut Context) -> Outcome {
    let key = Key::new(&args.kind, &args.id)?;
    let cause = cause(&args.reason)?;
    let saved = store.checkpoint(&key, &args.reason, cause).await?;
    if context.out.is_json() {
        context.out.json(&View::of(&saved))?;
    } else {
        let (version, id) = (saved.version, saved.id());
        context.out.line(&format!("version {version} of {key} is checkpoint {id}"))?;
    }
    Ok(Exit::Completed)
}

async fn restore(args: &RestoreArgs, store: &Store, context: &mut Context) -> Outcome {
    let cause = cause(&args.reason)?;
    let restored = store.restore(&args.id, cause).await?;
    rollback::show(&mut context.out, &restored, &format!("checkpoint {}", args.id))?;
    Ok(Exit::Completed)
}

impl Row for Checkpoint {
    const MANY: &'static str = "checkpoints";
    const HEADINGS: &'static [&'static str] = &["OF", "VERSION", "CREATED", "REASON"];
}

fn cells(checkpoint: &Stored<Checkpoint>) -> Vec<String> {
    let Checkpoint { of, version, reason, created_at, .. } = &**checkpoint;
    vec![of.to_string(), version.to_string(), moment(*created_at), reason.clone()]
}
