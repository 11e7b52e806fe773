//! Reads an export twice: once to check it, once to merge it into a store.

use std::io::SeekFrom;

use outlast_core::{Key, Limits, Result};
use outlast_store::Store;
use tokio::io::{AsyncBufRead, AsyncSeek, AsyncSeekExt};

use super::format::Header;
use super::lines::unreadable;
use super::merge::Merger;
use super::reader::{Item, Reader};
use super::tally::{Listener, Phase, Progress, Tally};

/// What became of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Where the export came from.
    pub header: Header,
    /// How much of everything it holds.
    pub tally: Tally,
    /// Entities whose present state came with it.
    pub entities: u64,
    /// Entries that were added.
    pub entries: u64,
    /// Entities and streams that the store holds other content of, at most
    /// [`Imported::MOST_NAMED`] of them. They were left as they are.
    pub divergences: Vec<Divergence>,
    /// How many there are in all.
    pub diverged: u64,
}

impl Imported {
    /// How many divergences are named.
    pub const MOST_NAMED: usize = 1000;
}

/// An entity or stream of which the store holds other content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The entity or stream.
    pub key: Key,
    /// How it differs.
    pub why: String,
}

/// Lines between two reports of progress.
const REPORTED: u64 = 256;

/// Merges an export into a store: versions and entries it lacks are added, the newest version of
/// an entity wins, and importing the same again changes nothing.
///
/// The whole input is checked first; nothing is written unless all of it is in order.
///
/// Errors: `Invalid`, with the number of the line, for an input that is cut off, edited or no
/// export; `Incompatible` for another version of the format; `TooLarge` for a record over the
/// store's limits; `Unavailable` if the input cannot be read; and those of
/// [`Store::commit`]. An entity or stream of which the store holds other content is no error, it
/// is left as it is and named in the answer.
///
/// Cancel safety: what was imported when the future is dropped stays. Importing again completes
/// it.
pub async fn import<R: AsyncBufRead + AsyncSeek + Unpin + Send>(
    store: &Store,
    mut input: R,
    progress: Listener<'_>,
) -> Result<Imported> {
    let limits = store.info().limits;
    let start = input.stream_position().await.map_err(unreadable)?;
    let (header, total) = check(&mut input, limits, progress).await?;
    input.seek(SeekFrom::Start(start)).await.map_err(unreadable)?;
    let (mut reader, _) = Reader::open(&mut input, limits).await?;
    let phase = Phase::Importing;
    let mut reports = Reports { progress, phase, total: Some(total), lines: 0 };
    let mut merger = Merger::new(store, limits);
    while let Some(item) = reader.next().await? {
        match item {
            Item::Version(version) => merger.version(*version).await?,
            Item::Transient(attrs) => merger.transient(attrs),
            Item::Stream(extent) => merger.stream(extent).await?,
            Item::Entry(entry) => merger.entry(entry).await?,
        }
        reports.line(reader.tally());
    }
    let result = merger.end().await?;
    (reports.progress)(Progress { phase: Phase::Importing, done: total, total: Some(total) });
    Ok(Imported {
        header,
        tally: total,
        entities: result.entities,
        entries: result.entries,
        divergences: result.divergences,
        diverged: result.diverged,
    })
}

/// Reads a whole export and checks it against these limits, as [`import`] does first, with its
/// errors. Writes nothing.
pub async fn check<R: AsyncBufRead + Unpin + Send>(
    input: R,
    limits: Limits,
    progress: Listener<'_>,
) -> Result<(Header, Tally)> {
    let (mut reader, header) = Reader::open(input, limits).await?;
    let mut reports = Reports { progress, phase: Phase::Checking, total: None, lines: 0 };
    while reader.next().await?.is_some() {
        reports.line(reader.tally());
    }
    Ok((header, reader.tally()))
}

struct Reports<'a> {
    progress: Listener<'a>,
    phase: Phase,
    total: Option<Tally>,
    lines: u64,
}

impl Reports<'_> {
    fn line(&mut self, done: Tally) {
        self.lines += 1;
        if self.lines.is_multiple_of(REPORTED) {
            let (phase, total) = (self.phase, self.total);
            (self.progress)(Progress { phase, done, total });
        }
    }
}
