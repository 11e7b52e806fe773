//! `outlast import`: adds what an export holds to a store.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use outlast::transfer::{self, Divergence, Imported, Phase, Progress as Step};
use outlast::{Error, Limits, Location, Result, Store};
use serde::Serialize;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, BufReader, stdin};

use crate::context::{Access, Context};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Progress};
use crate::signals::Signals;

/// Add what an export holds to a store, making the store if it is not there
///
/// Versions and output that the store lacks are added and the newest version of an entity wins;
/// importing the same again changes nothing. All of the input is checked before anything is
/// written; a pipe is copied to the folder for temporary files for that. When an import is cut
/// off, importing the same again completes it.
/// Where the store holds other content under the same version, that is left as it is and named,
/// and the program exits with 6. With --json: {"entities", "entries": how many were added,
/// "diverged": how many differ, "divergences": [{"key", "why"}], at most 1000 of them}.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The export, or - for standard input
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
    let mut signals = Signals::listen()?;
    let mut input = signals.until(NOTHING_YET, read(args, &context.config.db)).await?;
    let store = context.open(Access::Create).await?;
    let outcome = signals.until(PART, import(&mut input, &store, context)).await;
    signals.close(store, outcome).await
}

/// What a signal leaves.
const NOTHING_YET: &str = "nothing was imported";
const PART: &str = "what was imported stays; import the same again to complete it";

/// An export that can be read twice, and what to call it.
struct Input {
    reader: BufReader<File>,
    place: String,
}

/// Opens the input, and checks it unless there is a store: what cannot be imported is no reason
/// to make one. With a store, the import itself checks everything before it writes anything.
async fn read(args: &ImportArgs, location: &Location) -> Result<Input, Failure> {
    let mut input = open(&args.file).await?;
    let (Location::Sqlite(store) | Location::Sled(store)) = location else { return Ok(input) };
    if !store.exists() {
        let Input { reader, place } = &mut input;
        let checked = transfer::check(&mut *reader, Limits::EMBEDDED, &mut |_| {}).await;
        checked.map_err(|error| error.context(&*place))?;
        reader.rewind().await.map_err(|cause| unreadable(place, cause))?;
    }
    Ok(input)
}

/// Pipes are copied first.
async fn open(path: &Path) -> Result<Input> {
    if path.as_os_str() == "-" {
        let place = "standard input".to_owned();
        return Ok(Input { reader: BufReader::new(transfer::spool(stdin()).await?), place });
    }
    let place = path.display().to_string();
    let file = File::open(path).await.map_err(|cause| unreadable(&place, cause))?;
    let found = file.metadata().await.map_err(|cause| unreadable(&place, cause))?;
    if found.is_dir() {
        return Err(Error::invalid(format!("{place} is a directory, not an export")));
    }
    let file = if found.is_file() { file } else { transfer::spool(file).await? };
    Ok(Input { reader: BufReader::new(file), place })
}

fn unreadable(place: &str, cause: io::Error) -> Error {
    Error::invalid(format!("{place} cannot be read")).with_source(cause)
}

async fn import(input: &mut Input, store: &Store, context: &mut Context) -> Outcome {
    let mut progress = Progress::start("import", context.out.is_json());
    let mut listener = |step: Step| {
        if step.phase == Phase::Importing {
            progress.reached(step.done.entities + step.done.entries);
        }
    };
    let Input { reader, place } = input;
    let imported = transfer::import(store, reader, &mut listener).await;
    let imported = imported.map_err(|error| error.context(place))?;
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
