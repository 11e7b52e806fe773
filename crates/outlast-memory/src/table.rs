//! The entities of one kind, and the index of their attributes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use outlast_core::{AttrName, AttrValue, Attributes, Head, Key, Slot, Version, Versioned};

/// Which live entities have which value of one attribute.
pub(crate) type Index = BTreeMap<AttrValue, BTreeSet<Key>>;

/// One version as it is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Its place in the history of the whole store.
    pub(crate) row: u64,
    pub(crate) checksum: u64,
    pub(crate) version: Arc<Versioned>,
}

/// One entity, deleted ones included.
#[derive(Debug)]
pub(crate) struct Entity {
    pub(crate) head: Head,
    /// The version the head stands for.
    pub(crate) current: Arc<Versioned>,
    pub(crate) versions: BTreeMap<Version, Kept>,
    pub(crate) transient: Attributes,
}

impl Entity {
    pub(crate) fn slot(&self) -> Slot {
        let current = &*self.current;
        match current.clone().into_record(self.transient.clone()) {
            Some(record) => Slot::Live(Box::new(record)),
            None => Slot::Tombstone {
                key: current.key.clone(),
                version: current.version,
                at: current.at,
            },
        }
    }

    /// The attributes the index knows it by: a deleted entity has none.
    pub(crate) fn attrs(&self) -> &Attributes {
        &self.current.attrs
    }
}

/// The entities of one kind in one lineage.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) entities: BTreeMap<Key, Entity>,
    pub(crate) index: BTreeMap<AttrName, Index>,
    /// How many live.
    pub(crate) live: u64,
}

impl Table {
    /// Makes `version`, kept as `row`, the newest of its entity.
    pub(crate) fn supersede(&mut self, version: &Arc<Versioned>, row: u64) {
        let head = Head::of(version);
        let kept = Kept { row, checksum: head.checksum, version: version.clone() };
        let before = self.entities.get_mut(&version.key);
        let before_live = before.as_ref().is_some_and(|entity| entity.head.live);
        self.live -= u64::from(before_live);
        self.live += u64::from(head.live);
        let old = if let Some(entity) = before {
            if !head.live {
                entity.transient = Attributes::new();
            }
            entity.versions.insert(version.version, kept);
            entity.head = head;
            Some(std::mem::replace(&mut entity.current, version.clone()))
        } else {
            let versions = BTreeMap::from([(version.version, kept)]);
            let transient = Attributes::new();
            let entity = Entity { head, current: version.clone(), versions, transient };
            self.entities.insert(version.key.clone(), entity);
            None
        };
        self.move_in_index(old.as_deref(), version);
    }

    fn move_in_index(&mut self, old: Option<&Versioned>, new: &Versioned) {
        let live_attrs = |version: &Versioned, name: &AttrName| {
            if version.is_live() { version.attrs.get(name).cloned() } else { None }
        };
        if let Some(old) = old.filter(|old| old.is_live()) {
            for (name, value) in &old.attrs {
                if live_attrs(new, name).as_ref() != Some(value) {
                    self.remove_from_index(name, value, &old.key);
                }
            }
        }
        if new.is_live() {
            for (name, value) in &new.attrs {
                if old.and_then(|old| live_attrs(old, name)).as_ref() != Some(value) {
                    let index = self.index.entry(name.clone()).or_default();
                    index.entry(value.clone()).or_default().insert(new.key.clone());
                }
            }
        }
    }

    fn remove_from_index(&mut self, name: &AttrName, value: &AttrValue, key: &Key) {
        let Some(index) = self.index.get_mut(name) else { return };
        let Some(keys) = index.get_mut(value) else { return };
        keys.remove(key);
        if keys.is_empty() {
            index.remove(value);
            if index.is_empty() {
                self.index.remove(name);
            }
        }
    }
}
