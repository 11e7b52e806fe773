//! The names of the two kinds and their entities, as production code knows them.

use std::sync::LazyLock;

use outlast_core::{CommitId, Key, Kind};
use outlast_orchestrator::migration::control::Footprint;

use crate::state::{BOTH, Each, Part, Slot};

static KEYS: LazyLock<Each<Key>> =
    LazyLock::new(|| ["left", "right"].map(|kind| Key::new(kind, "a").unwrap()));

pub(crate) fn key(slot: Slot) -> &'static Key {
    &KEYS[slot]
}

pub(crate) fn kind(slot: Slot) -> &'static Kind {
    &key(slot).kind
}

pub(crate) fn slot(kind: &Kind) -> Slot {
    usize::from(*kind != KEYS[0].kind)
}

pub(crate) fn commit(id: u8) -> CommitId {
    CommitId::of(uuid::Uuid::from_u128(u128::from(id)))
}

pub(crate) fn footprint(part: &Part) -> Footprint {
    let written = BOTH.into_iter().filter(|slot| part.vals[*slot].is_some());
    Footprint { id: commit(part.id), keys: written.map(|slot| key(slot).clone()).collect() }
}

/// Which of these keys are there.
pub(crate) fn mask<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Each<bool> {
    let mut mask = [false; 2];
    for key in keys {
        mask[slot(&key.kind)] = true;
    }
    mask
}

pub(crate) fn keys(mask: Each<bool>) -> Vec<Key> {
    BOTH.into_iter().filter(|slot| mask[*slot]).map(|slot| key(slot).clone()).collect()
}
