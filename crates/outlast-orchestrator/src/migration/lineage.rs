//! Under which names the database keeps what memory keeps under plain ones.
//!
//! A kind that left the database and comes back does so under a new lineage. What lies under an
//! older one is set aside whole, by nothing but that number.

use outlast_core::{Commit, Entry, Key, Record, Slot, Space, Versioned};

/// A lineage is the upper half of a space; the lower half is the caller's.
const CALLERS: u32 = 1 << 16;

/// Whether callers may use a space at all, in a store that can move.
pub(crate) fn is_callers(space: Space) -> bool {
    space.0 < CALLERS
}

/// The lineage that a space of the database belongs to.
pub(crate) fn of(space: Space) -> u16 {
    u16::try_from(space.0 / CALLERS).unwrap_or(u16::MAX)
}

/// The space of the database for a caller's space.
pub(crate) fn far_space(space: Space, lineage: u16) -> Space {
    Space(space.0 + u32::from(lineage) * CALLERS)
}

/// The caller's space for one of the database.
pub(crate) fn near_space(space: Space) -> Space {
    Space(space.0 % CALLERS)
}

/// The name in the database.
pub(crate) fn far(key: &Key, lineage: u16) -> Key {
    key.clone().in_space(far_space(key.space, lineage))
}

/// The caller's name, if that of the database belongs to the lineage.
pub(crate) fn near(key: &Key, lineage: u16) -> Option<Key> {
    (of(key.space) == lineage).then(|| key.clone().in_space(near_space(key.space)))
}

/// The version under another name.
pub(crate) fn renamed(version: &Versioned, key: Key) -> Versioned {
    Versioned { key, ..version.clone() }
}

/// The entry under the name of another stream.
pub(crate) fn entry(entry: &Entry, stream: Key) -> Entry {
    Entry { stream, ..entry.clone() }
}

/// The slot under the caller's name.
pub(crate) fn slot(slot: Slot) -> Slot {
    let plain = |key: Key| {
        let space = near_space(key.space);
        key.in_space(space)
    };
    match slot {
        Slot::Live(record) => {
            let record = *record;
            Slot::Live(Box::new(Record { key: plain(record.key.clone()), ..record }))
        }
        Slot::Tombstone { key, version, at } => Slot::Tombstone { key: plain(key), version, at },
        Slot::Vacant | Slot::Damaged(_) => slot,
    }
}

/// What the database is to write of a commit: what `goes` accepts, under its names there.
pub(crate) fn commit(
    commit: &Commit,
    goes: impl Fn(&Key) -> bool,
    lineage: impl Fn(&Key) -> u16,
) -> Option<Commit> {
    let name = |key: &Key| far(key, lineage(key));
    let versions = |versions: &[Versioned]| -> Vec<Versioned> {
        let wanted = versions.iter().filter(|version| goes(&version.key));
        wanted.map(|version| renamed(version, name(&version.key))).collect()
    };
    let entries = commit.entries.iter().filter(|entry| goes(&entry.stream));
    let part = Commit {
        versions: versions(&commit.versions),
        history: versions(&commit.history),
        entries: entries.map(|each| entry(each, name(&each.stream))).collect(),
        ..commit.clone()
    };
    let is_empty = part.versions.is_empty() && part.history.is_empty() && part.entries.is_empty();
    (!is_empty).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_from_its_own_lineage_only() {
        let key = Key::new("item", "a").unwrap().in_space(Space(3));
        for lineage in [0, 1, u16::MAX] {
            let far = far(&key, lineage);
            assert_eq!(near(&far, lineage), Some(key.clone()), "{far:?}");
            assert_eq!(near(&far, lineage.wrapping_add(1)), None, "{far:?}");
        }
        assert!(is_callers(Space(65_535)) && !is_callers(Space(65_536)));
    }
}
