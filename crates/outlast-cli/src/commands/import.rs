//! `outlast import`: adds what an export holds to a store.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use outlast::transfer::{self, Divergence, Imported, Phase, Progress as Step};
use outlast::{Error, Limits, Location, Result, Store};
use serde::Serialize;
use tokio::io::BufReader;

use crate::context::{Access, Context, close};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Progress};

/// Add what an export holds to a store, making the store if it is not there
///
/// Versions and output that the store lacks are added and the newest version of an entity wins;
/// importing the same again changes nothing. When it is cut off, importing again completes it.
/// Where the store holds other content under the same version, that is left as it is and named,
/// and the program exits with 6. With --json: {"entities", "entries": how many were added,
/// "diverged": how many differ, "divergences": [{"key", "why"}], at most 1000 of them}.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The export; - for standard input
    file: PathBuf,
}

#[derive(Serialize)]
struct View<'a> {
    entities: u64,
    entries: u64,
    diverged: u64,
    divergences: Vec<DivergenceView<'a>>,
}

#[derive(Serialize)]
struct DivergenceView<'a> {
    key: String,
    why: &'a str,
}

pub(crate) async fn run(args: &ImportArgs, context: &mut Context) -> Outcome {
    if context.config.db == Location::Memory {
        return Err(Error::invalid(
            "what is imported into memory is gone when the program ends; name a store with --db",
        )
        .into());
    }
    let is_pipe = args.file.as_os_str() == "-";
    if !is_pipe {
        check(&args.file, &context.config.db).await?;
    }
    let store = context.open(Access::Create).await?;
    let outcome = import(args, is_pipe, &store, context).await;
    close(store, outcome).await
}

/// What cannot be read is no reason to make a store.
async fn check(file: &Path, location: &Location) -> Result<()> {
    let place = file.display();
    let unreadable = |cause| Error::invalid(format!("{place} cannot be read")).with_source(cause);
    let opened = File::open(file).map_err(unreadable)?;
    if opened.metadata().is_ok_and(|found| found.is_dir()) {
        return Err(Error::invalid(format!("{place} is a directory, not an export")));
    }
    let (Location::Sqlite(store) | Location::Sled(store)) = location else { return Ok(()) };
    if store.exists() {
        // The import itself checks everything before it writes anything.
        return Ok(());
    }
    let input = BufReader::new(tokio::fs::File::from_std(opened));
    let checked = transfer::check(input, Limits::EMBEDDED, &mut |_| {}).await;
    checked.map(drop).map_err(|error| error.context(place))
}

async fn import(args: &ImportArgs, is_pipe: bool, store: &Store, context: &mut Context) -> Outcome {
    let mut progress = Progress::start("import", context.out.is_json());
    let mut listener = |step: Step| {
        if step.phase == Phase::Importing {
            progress.reached(step.done.entities + step.done.entries);
        }
    };
    let imported = if is_pipe {
        transfer::import_spooled(store, tokio::io::stdin(), &mut listener).await?
    } else {
        transfer::import_file(store, &args.file, &mut listener).await?
    };
    let Imported { entities, entries, diverged, .. } = imported;
    progress.finish(&format!(
        "{entities} entities and {entries} stream entries were added, {diverged} differ"
    ));
    let exit = if diverged == 0 { Exit::Completed } else { Exit::Damaged };
    match show(&mut context.out, &imported) {
        Ok(()) | Err(Failure::Unread) => Ok(exit),
        Err(failure) => Err(failure),
    }
}

fn show(out: &mut Output, imported: &Imported) -> Result<(), Failure> {
    let Imported { entities, entries, diverged, divergences, .. } = imported;
    if out.is_json() {
        let divergences = divergences
            .iter()
            .map(|Divergence { key, why }| DivergenceView { key: key.to_string(), why });
        let divergences = divergences.collect();
        let (entities, entries, diverged) = (*entities, *entries, *diverged);
        return out.json(&View { entities, entries, diverged, divergences });
    }
    for Divergence { key, why } in divergences {
        out.line(&format!("differs: {key}: {why}"))?;
    }
    if *diverged > divergences.len() as u64 {
        out.line(&format!("and {} more", diverged - divergences.len() as u64))?;
    }
    Ok(())
}
