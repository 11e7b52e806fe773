//! Reading: everything is decoded, filtered, sorted and cut.

use std::collections::BTreeMap;

use outlast_core::{
    AttrName, AttrValue, Change, Counts, Cursor, Entry, Error, ErrorKind, HistoryQuery, Key, Kind,
    Listed, Order, Page, Query, Result, Revision, Scope, Seq, Slot, StreamExtent, StreamQuery,
    Verified, Version, Versioned,
};

use super::Rows;

/// The items of a page out of all, each with the place its cursor names.
fn page<T, P: PartialEq>(
    mut all: Vec<(P, T)>,
    limit: u32,
    after: Option<&P>,
    beyond: impl Fn(&P, &P) -> bool,
    cursor: impl Fn(&P) -> Cursor,
) -> Listed<T> {
    if let Some(after) = after {
        all.retain(|(place, _)| beyond(place, after));
    }
    let more = all.len() > limit as usize;
    all.truncate(limit as usize);
    let next = all.last().filter(|_| more).map(|(place, _)| cursor(place));
    Listed { items: all.into_iter().map(|(_, item)| item).collect(), next }
}

impl Rows {
    pub(super) fn head(&self, key: &Key) -> Option<Verified<Versioned>> {
        let version = *self.heads.get(key)?;
        Some(self.versions[&(key.clone(), version)].text.version(key, version))
    }

    pub(super) fn slot(&self, key: &Key) -> Slot {
        match self.head(key) {
            None => Slot::Vacant,
            Some(Err(_)) if self.hides_damage => Slot::Vacant,
            Some(Err(damage)) => Slot::Damaged(Box::new(damage)),
            Some(Ok(head)) => {
                let (key, version, at) = (head.key.clone(), head.version, head.at);
                let transient = self.transient.get(&key).cloned().unwrap_or_default();
                match head.into_record(transient) {
                    Some(record) => Slot::Live(Box::new(record)),
                    None => Slot::Tombstone { key, version, at },
                }
            }
        }
    }

    pub(super) fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        let after = query.page.after.as_ref().map(Cursor::to_listing).transpose()?;
        let after = after.map(|(value, id)| (value, id.as_str().to_owned()));
        let mut found = Vec::new();
        for key in self.heads.keys().filter(|k| k.kind == query.kind && k.space == query.space) {
            let slot = self.slot(key);
            let value = match (&slot, &query.order) {
                (Slot::Live(record), Order::Attr(name)) => record.attrs.get(name).cloned(),
                _ => None,
            };
            let wanted = match &slot {
                Slot::Live(record) => query.accepts(&record.attrs),
                Slot::Tombstone { .. } => query.tombstones,
                Slot::Damaged(_) => query.filters.is_empty() && query.order == Order::Id,
                Slot::Vacant => false,
            };
            if wanted {
                found.push(((value, key.id().to_owned()), slot));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let down = query.descending;
        if down {
            found.reverse();
        }
        let beyond = |place: &_, after: &_| if down { place < after } else { place > after };
        Ok(page(found, query.page.limit, after.as_ref(), beyond, |(value, id)| {
            Cursor::listing(value.as_ref(), id)
        }))
    }

    pub(super) fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        let all = Query { page: Page::first(u32::MAX), tombstones: false, ..query.clone() };
        let mut counts = Counts::default();
        let mut groups: BTreeMap<Vec<Option<AttrValue>>, u64> = BTreeMap::new();
        for slot in self.list(&all)?.items {
            let Slot::Live(record) = slot else { continue };
            counts.total += 1;
            let group: Vec<_> = by.iter().map(|name| record.attrs.get(name).cloned()).collect();
            *groups.entry(group).or_default() += u64::from(!by.is_empty());
        }
        counts.groups = groups.into_iter().filter(|(group, _)| !group.is_empty()).collect();
        Ok(counts)
    }

    pub(super) fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        let mut found = Vec::new();
        for ((key, at), row) in &self.versions {
            // The place in the order asked for: of versions, or of writing.
            let (wanted, place) = match &query.scope {
                Scope::Entity(entity) => (entity == key, (at.epoch.0, at.n)),
                Scope::All(kind) => {
                    (kind.as_ref().is_none_or(|kind| *kind == key.kind), (0, row.order))
                }
            };
            let version = row.text.version(key, *at);
            let accepted = version.as_ref().map_or(!self.hides_damage, |v| query.accepts(v));
            if wanted && accepted {
                found.push((place, version));
            }
        }
        found.sort_by_key(|(place, _)| *place);
        let down = query.newest_first;
        if down {
            found.reverse();
        }
        let after = query.page.after.as_ref().map(to_pair).transpose()?;
        let beyond = |place: &_, after: &_| if down { place < after } else { place > after };
        Ok(page(found, query.page.limit, after.as_ref(), beyond, of_pair))
    }

    pub(super) fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        let mut found = Vec::new();
        for ((stream, seq), text) in &self.entries {
            let entry = text.entry(stream, *seq);
            let accepted = entry.as_ref().map_or(!self.hides_damage, |entry| query.accepts(entry));
            if *stream == query.stream && accepted {
                found.push((seq.0, entry));
            }
        }
        let down = query.newest_first;
        if down {
            found.reverse();
        }
        let after = query.page.after.as_ref().map(Cursor::to_number).transpose()?;
        let beyond = |place: &_, after: &_| if down { place < after } else { place > after };
        let cursor = |place: &u64| Cursor::number(*place);
        Ok(page(found, query.page.limit, after.as_ref(), beyond, cursor))
    }

    pub(super) fn streams(&self, kind: &Kind, asked: &Page) -> Result<Listed<StreamExtent>> {
        let after = asked.after.as_ref().map(Cursor::to_listing).transpose()?;
        let after = after.map(|(space, id)| match space {
            Some(AttrValue::Int(space)) => (space, id.as_str().to_owned()),
            _ => (0, String::new()),
        });
        let found = self.lasts.iter().filter(|(stream, _)| stream.kind == *kind);
        let found = found.map(|(stream, last)| {
            let first = self.entries.keys().find(|(of, _)| of == stream);
            let first = first.map_or(Seq(last.0 + 1), |(_, seq)| *seq);
            let place = (i64::from(stream.space.0), stream.id().to_owned());
            (place, StreamExtent { stream: stream.clone(), first, last: *last })
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let cursor = |(space, id): &(i64, String)| Cursor::listing(Some(&(*space).into()), id);
        Ok(page(found, asked.limit, after.as_ref(), |place, after| place > after, cursor))
    }

    pub(super) fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        if after < self.compacted {
            return Err(Error::new(ErrorKind::Compacted, "the toy pruned what was asked for"));
        }
        let commits = self.commits.iter().filter(|(revision, _)| **revision > after);
        let found = commits.map(|(revision, (id, known))| {
            let row = |place: &(Key, Version)| self.versions[place].text.version(&place.0, place.1);
            let change = Change {
                revision: *revision,
                commit: *id,
                at: known.at,
                versions: known.versions.iter().map(row).collect(),
                appended: known.appended.clone(),
            };
            (revision.0, change)
        });
        let cursor = |place: &u64| Cursor::number(*place);
        Ok(page(found.collect(), limit, None, |_, _| true, cursor))
    }
}

fn of_pair((high, low): &(u64, u64)) -> Cursor {
    Cursor::listing(Some(&high.cast_signed().into()), &low.to_string())
}

fn to_pair(cursor: &Cursor) -> Result<(u64, u64)> {
    match cursor.to_listing()? {
        (Some(AttrValue::Int(high)), low) => {
            Ok((high.cast_unsigned(), low.as_str().parse().unwrap_or(0)))
        }
        _ => Err(Error::invalid("the cursor belongs to another query")),
    }
}
