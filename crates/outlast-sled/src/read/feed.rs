//! The feed: every commit in order.

use outlast_core::{
    Change, Cursor, Error, ErrorKind, Key, Listed, Page, Result, Revision, Verified, Version,
    Versioned,
};

use super::page::{Filling, beyond};
use crate::codec::{CommitRow, State, VersionRow, key};
use crate::tables::{Table, Tables};

/// One page of commits after a revision.
pub(crate) fn changes(
    tables: &Tables,
    state: &State,
    after: Revision,
    limit: u32,
) -> Result<Listed<Change>> {
    let mut page = Filling::new(&Page::first(limit))?;
    if after < state.floor {
        let (after, floor) = (after.0, state.floor.0);
        return Err(Error::new(
            ErrorKind::Compacted,
            format!("commits after {after} up to {floor} were pruned; start from a snapshot"),
        ));
    }
    let mut expected = after.next();
    for pair in beyond(tables, Table::Feed, &[], Some(&after.0.to_be_bytes()), false)? {
        let (place, bytes) = pair?;
        let damaged = |flaw| tables.error(Table::Feed, &place, flaw);
        let row: CommitRow = Tables::met(Table::Feed, &place, bytes).map_err(damaged)?;
        let revision = row.known.revision;
        if revision != expected {
            return Err(tables.missing(Table::Feed, &expected.0.to_be_bytes()));
        }
        expected = revision.next();
        if !page.take(Some(change(tables, row)?), || Cursor::number(revision.0)) {
            return Ok(page.finish());
        }
    }
    if expected <= state.revision {
        return Err(tables.missing(Table::Feed, &expected.0.to_be_bytes()));
    }
    Ok(page.finish())
}

fn change(tables: &Tables, row: CommitRow) -> Result<Change> {
    let CommitRow { id, known } = row;
    let versions = known.versions.iter().map(|(key, version)| written(tables, key, *version));
    Ok(Change {
        revision: known.revision,
        commit: id,
        at: known.at,
        versions: versions.collect::<Result<_>>()?,
        appended: known.appended,
    })
}

fn written(tables: &Tables, entity: &Key, version: Version) -> Result<Verified<Versioned>> {
    let found: Verified<VersionRow> =
        tables.kept(Table::History, &key::version(entity, version))?;
    Ok(found.map(|row| row.version))
}
