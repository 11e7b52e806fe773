//! What a row is called in reports of damage.

use outlast_core::CommitId;

use super::{Flaw, key};
use crate::tables::Table;

/// The name of the thing whose row lies under a key; without a key, the table's.
pub(crate) fn name(table: Table, place: &[u8]) -> String {
    if place.is_empty() {
        return "the table as a whole".to_owned();
    }
    let name = match table {
        Table::Heads | Table::Streams => key::to_entity(place).map(|entity| entity.to_string()),
        Table::History => {
            key::to_version(place).map(|(entity, version)| format!("{entity} version {version}"))
        }
        Table::Entries => key::to_entry(place).map(|(stream, seq)| format!("{stream} entry {seq}")),
        Table::Index => {
            key::to_index(place).map(|(entity, name, _)| format!("{entity} in the index of {name}"))
        }
        Table::Feed => key::to_number(place).map(|revision| format!("commit {revision}")),
        Table::Audit => key::to_number(place).map(|at| format!("place {at} of the audit trail")),
        Table::Commits => to_commit(place).map(|id| format!("commit id {id}")),
        Table::Spent => {
            key::to_spent(place).map(|revision| format!("commit {} without versions", revision.0))
        }
        Table::Meta => Ok(format!("its {}", String::from_utf8_lossy(place))),
    };
    name.unwrap_or_else(|_| format!("the row {:?}", String::from_utf8_lossy(place)))
}

fn to_commit(place: &[u8]) -> Result<CommitId, Flaw> {
    let bytes = place.try_into().map_err(|_| Flaw::new("its key is no commit id"))?;
    CommitId::from_bytes(bytes).map_err(Flaw::rule)
}
