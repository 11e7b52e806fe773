//! Which kinds there is anything of: one look at the tables per kind and lineage.

use outlast_core::{Key, Kinds, Result};

use crate::codec::key;
use crate::tables::{Table, Tables};

/// The kinds of entities and of streams.
pub(crate) fn kinds(tables: &Tables) -> Result<Kinds> {
    let mut kinds = Kinds::default();
    leap(tables, Table::Heads, |name| {
        let after = key::after(&key::lineage(&name.kind, name.space));
        kinds.entities.insert((name.space, name.kind));
        after
    })?;
    leap(tables, Table::Streams, |name| {
        let after = key::after(&key::of_kind(&name.kind));
        kinds.streams.insert(name.kind);
        after
    })?;
    Ok(kinds)
}

/// Visits the first key of a table, and then always the first one from where `visit` says.
fn leap(
    tables: &Tables,
    table: Table,
    mut visit: impl FnMut(Key) -> Option<Vec<u8>>,
) -> Result<()> {
    let mut from = Some(Vec::new());
    while let Some(low) = from {
        let Some(first) = tables.walk(table, &low, None, false)?.next() else { break };
        let (place, _) = first?;
        let name = key::to_entity(&place).map_err(|flaw| tables.error(table, &place, flaw))?;
        from = visit(name);
    }
    Ok(())
}
