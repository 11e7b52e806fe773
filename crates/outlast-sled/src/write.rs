//! Turning a planned set into rows.

use std::collections::HashMap;

use outlast_core::{Attributes, Commit, Entry, Key, Result, StreamName, Versioned, WriteSet};

use crate::codec::{CommitRow, Extent, HeadRow, State, VersionRow, key};
use crate::draft::{Draft, Transaction};
use crate::tables::{Table, Tables};

/// The transaction that writes the set on top of `state`.
pub(crate) fn draft(tables: &Tables, state: State, set: &WriteSet) -> Result<Transaction> {
    let mut draft = Draft::new(tables, state);
    let mut extents = HashMap::new();
    for commit in &set.commits {
        put_commit(&mut draft, commit)?;
        for entry in &commit.entries {
            append(&mut draft, &mut extents, entry)?;
        }
    }
    for (stream, extent) in extents {
        draft.put(Table::Streams, key::entity(stream), &extent);
    }
    for (entity, attrs) in &set.touches {
        touch(&mut draft, entity, attrs)?;
    }
    Ok(draft.finish())
}

fn put_commit(draft: &mut Draft<'_>, commit: &Commit) -> Result<()> {
    for version in &commit.versions {
        supersede(draft, version)?;
        put_version(draft, version);
    }
    for version in &commit.history {
        put_version(draft, version);
    }
    let feed = commit.revision.0.to_be_bytes().to_vec();
    draft.put(Table::Feed, feed, &CommitRow { id: commit.id, known: commit.remembered() });
    draft.put(Table::Commits, commit.id.as_bytes().to_vec(), &commit.revision);
    draft.state.revision = commit.revision;
    if commit.versions.is_empty() {
        draft.put(Table::Spent, key::spent(commit.at, commit.revision), &());
    }
    Ok(())
}

fn supersede(draft: &mut Draft<'_>, version: &Versioned) -> Result<()> {
    let entity = &version.key;
    let place = key::entity(entity);
    let old: Option<HeadRow> = draft.content(Table::Heads, &place)?;
    let transient = old.as_ref().map(|old| old.transient.clone()).unwrap_or_default();
    let new = HeadRow::of(version, transient);
    for (name, value) in old.iter().flat_map(HeadRow::indexed) {
        if !new.live || new.attrs.get(name) != Some(value) {
            draft.remove(Table::Index, key::index(entity, name, value));
        }
    }
    let had = old.as_ref().filter(|old| old.live);
    for (name, value) in new.indexed() {
        if had.and_then(|old| old.attrs.get(name)) != Some(value) {
            draft.put(Table::Index, key::index(entity, name, value), &());
        }
    }
    draft.put(Table::Heads, place, &new);
    Ok(())
}

fn put_version(draft: &mut Draft<'_>, version: &Versioned) {
    draft.state.position += 1;
    let position = draft.state.position;
    let place = key::version(&version.key, version.version);
    draft.put(Table::Audit, position.to_be_bytes().to_vec(), &place);
    let row = VersionRow { position, version: version.clone() };
    draft.put(Table::History, place, &row);
}

fn append<'a>(
    draft: &mut Draft<'_>,
    extents: &mut HashMap<&'a StreamName, Extent>,
    entry: &'a Entry,
) -> Result<()> {
    let stream = &entry.stream;
    if !extents.contains_key(stream) {
        let stored: Option<Extent> = draft.content(Table::Streams, &key::entity(stream))?;
        let fresh = Extent { first: entry.seq, last: entry.seq };
        extents.insert(stream, stored.unwrap_or(fresh));
    }
    if let Some(extent) = extents.get_mut(stream) {
        extent.last = entry.seq;
    }
    draft.put(Table::Entries, key::entry(stream, entry.seq.0), entry);
    Ok(())
}

fn touch(draft: &mut Draft<'_>, entity: &Key, attrs: &Attributes) -> Result<()> {
    let place = key::entity(entity);
    let head: Option<HeadRow> = draft.content(Table::Heads, &place)?;
    if let Some(mut head) = head.filter(|head| head.live) {
        let touched = attrs.iter().map(|(name, value)| (name.clone(), value.clone()));
        head.transient.extend(touched);
        draft.put(Table::Heads, place, &head);
    }
    Ok(())
}
