//! What the database could not read when memory was filled from it. Reads of such kinds go to the
//! database, so that what is damaged is told, and hides no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use outlast_core::{Key, Kind};

/// What could not be read, by kind, as damages name it.
#[derive(Debug, Default)]
pub(super) struct Damaged {
    any: AtomicBool,
    names: Mutex<BTreeMap<Kind, BTreeSet<String>>>,
}

impl Damaged {
    pub(super) fn note(&self, kind: &Kind, names: BTreeSet<String>) {
        let mut all = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(kind.clone()).or_default().extend(names);
        self.any.store(true, Ordering::Release);
    }

    /// Whether anything of the kind could not be read.
    pub(super) fn has(&self, kind: &Kind) -> bool {
        self.any.load(Ordering::Acquire)
            && self.names.lock().unwrap_or_else(PoisonError::into_inner).contains_key(kind)
    }

    /// Whether this could not be read, by its name in the database. Damages name the entity, some
    /// of them with its version.
    pub(super) fn names(&self, far: &Key) -> bool {
        let all = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(names) = all.get(&far.kind) else { return false };
        let name = far.to_string();
        let versioned = format!("{name} version ");
        names.contains(&name)
            || names.range(versioned.clone()..).next().is_some_and(|n| n.starts_with(&versioned))
    }
}
