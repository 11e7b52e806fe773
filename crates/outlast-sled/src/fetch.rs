//! What a plan needs to know.

use outlast_core::{ReadSet, Remembered, Result, Revision, View};

use crate::codec::{CommitRow, Extent, HeadRow, State, VersionRow, key};
use crate::tables::{Table, Tables};

/// Reads it; damage to any of it is an error, since no plan may be made from a guess.
pub(crate) fn fetch(tables: &Tables, state: &State, reads: &ReadSet) -> Result<View> {
    let mut view = View { revision: state.revision, ..View::default() };
    for entity in &reads.keys {
        let head: Option<HeadRow> = tables.sound(Table::Heads, &key::entity(entity))?;
        if let Some(head) = head {
            view.heads.insert(entity.clone(), head.to_head());
        }
    }
    for stream in &reads.streams {
        let extent: Option<Extent> = tables.sound(Table::Streams, &key::entity(stream))?;
        if let Some(extent) = extent {
            view.streams.insert(stream.clone(), extent.last);
        }
    }
    for id in &reads.commits {
        let revision: Option<Revision> = tables.sound(Table::Commits, id.as_bytes())?;
        if let Some(revision) = revision {
            view.commits.insert(*id, remembered(tables, revision)?);
        }
    }
    for (entity, version) in &reads.versions {
        let place = key::version(entity, *version);
        let row: Option<VersionRow> = tables.sound(Table::History, &place)?;
        if let Some(row) = row {
            view.versions.insert((entity.clone(), *version), row.version.checksum());
        }
    }
    Ok(view)
}

fn remembered(tables: &Tables, revision: Revision) -> Result<Remembered> {
    let place = revision.0.to_be_bytes();
    let row: Option<CommitRow> = tables.sound(Table::Feed, &place)?;
    row.map(|row| row.known).ok_or_else(|| tables.missing(Table::Feed, &place))
}
