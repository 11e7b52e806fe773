//! `outlast export`: everything a store holds, as JSON lines.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use outlast::transfer::{self, Exported, Progress as Step};
use outlast::{Error, Location, Result, Store};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::Progress;

/// Write everything the store holds as JSON lines: versions, history and output
///
/// What is written is the store as it was at one commit, whatever happens meanwhile. A file
/// appears under its name only once it is whole, in place of what was there. With --json and a
/// file: {"file", "entities", "versions", "streams", "entries", "bytes", "revision"}.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The file to write; standard output when absent
    file: Option<PathBuf>,
}

#[derive(Serialize)]
struct View<'a> {
    file: &'a Path,
    entities: u64,
    versions: u64,
    streams: u64,
    entries: u64,
    bytes: u64,
    revision: u64,
}

pub(crate) async fn run(args: &ExportArgs, store: &Store, context: &mut Context) -> Outcome {
    let mut progress = Progress::start("export", context.out.is_json());
    let mut listener = |step: Step| progress.reached(step.done.entities + step.done.entries);
    let Some(file) = &args.file else {
        let exported = transfer::export(store, tokio::io::stdout(), &mut listener).await;
        let exported = exported.map_err(Failure::of_output)?;
        progress.finish(&summary(&exported));
        return Ok(Exit::Completed);
    };
    refuse_own_file(file, &context.config.db)?;
    let exported = transfer::export_file(store, file, &mut listener).await?;
    progress.finish(&summary(&exported));
    let Exported { tally, bytes, revision } = exported;
    if context.out.is_json() {
        context.out.json(&View {
            file,
            entities: tally.entities,
            versions: tally.versions,
            streams: tally.streams,
            entries: tally.entries,
            bytes,
            revision: revision.0,
        })?;
    }
    Ok(Exit::Completed)
}

fn summary(exported: &Exported) -> String {
    let Exported { tally, bytes, .. } = exported;
    format!(
        "{} entities in {} versions and {} stream entries, {bytes} bytes",
        tally.entities, tally.versions, tally.entries
    )
}

/// An export takes the place of what was there, which must not be the store itself.
fn refuse_own_file(file: &Path, location: &Location) -> Result<()> {
    let (Location::Sqlite(store) | Location::Sled(store)) = location else { return Ok(()) };
    match (fs::canonicalize(file), fs::canonicalize(store)) {
        (Ok(file), Ok(store)) if file.starts_with(&store) => {
            let file = file.display();
            Err(Error::invalid(format!("{file} is the store itself; export to another file")))
        }
        _ => Ok(()),
    }
}
