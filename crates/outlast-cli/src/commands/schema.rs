//! `outlast schema`: the storage layout of a store.

use std::path::Path;

use clap::{Args, Subcommand};
use outlast::sqlite::schema::{Schema, Status};
use outlast::{Error, Location, Result};
use serde::Serialize;

use crate::context::{Access, Context, must_be};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Table, note};

/// Show or upgrade the storage layout of a store
///
/// With --json: {"current", "latest", "applied": [{"version", "name", "checksum",
/// "applied_at"}], "pending": [{"version", "name"}]}.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
enum What {
    /// Show which layout the store has and what an upgrade would apply
    Status,
    /// Bring an older layout up to date; each step is applied whole or not at all
    Upgrade,
}

#[derive(Serialize)]
struct View {
    current: u32,
    latest: u32,
    applied: Vec<AppliedView>,
    pending: Vec<PendingView>,
}

#[derive(Serialize)]
struct AppliedView {
    version: u32,
    name: String,
    checksum: String,
    applied_at: String,
}

#[derive(Serialize)]
struct PendingView {
    version: u32,
    name: &'static str,
}

pub(crate) async fn run(args: &SchemaArgs, context: &mut Context) -> Outcome {
    must_be(&context.config.db)?;
    let view = match context.config.db.clone() {
        Location::Memory => {
            return Err(Error::invalid("a store in memory has no layout to show or upgrade").into());
        }
        Location::Sqlite(path) => of_sqlite(args.what, &path).await?,
        Location::Sled(_) => of_sled(args.what, context).await?,
    };
    show(&mut context.out, &view)?;
    Ok(Exit::Completed)
}

async fn of_sqlite(what: What, path: &Path) -> Result<View> {
    let schema = Schema::released();
    let Status { current, latest, applied, pending } = match what {
        What::Status => schema.status(path).await?,
        What::Upgrade => schema.up(path).await?,
    };
    let applied = applied.into_iter().map(|step| AppliedView {
        version: step.version,
        name: step.name,
        checksum: step.checksum,
        applied_at: step.applied_at,
    });
    let pending = pending.iter().map(|step| PendingView { version: step.version, name: step.name });
    Ok(View { current, latest, applied: applied.collect(), pending: pending.collect() })
}

/// sled has one layout so far: a store that opens has it.
async fn of_sled(what: What, context: &Context) -> Result<View> {
    let access = match what {
        What::Status => Access::Read,
        What::Upgrade => Access::Write,
    };
    let store = context.open(access).await?;
    let version = store.info().schema_version;
    store.close().await?;
    Ok(View { current: version, latest: version, applied: Vec::new(), pending: Vec::new() })
}

fn show(out: &mut Output, view: &View) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(view);
    }
    let View { current, latest, applied, pending } = view;
    out.line(&format!("layout {current}, the latest is {latest}"))?;
    if !applied.is_empty() {
        let mut table = Table::new(&["VERSION", "NAME", "APPLIED", "CHECKSUM"]);
        for step in applied {
            let AppliedView { version, name, checksum, applied_at } = step;
            table.row([version.to_string(), name.clone(), applied_at.clone(), checksum.clone()]);
        }
        table.print(out)?;
    }
    for step in pending {
        out.line(&format!("pending: {} {}", step.version, step.name))?;
    }
    if !pending.is_empty() {
        note("run outlast schema upgrade to apply what is pending");
    }
    Ok(())
}
