//! One entity: its head and the version beneath it.

use outlast_core::{Damage, Key, Result, Slot, Verified};

use crate::codec::{Flaw, HeadRow, VersionRow, key};
use crate::tables::{Table, Tables};

/// What lies under a key.
pub(crate) fn lookup(tables: &Tables, entity: &Key) -> Result<Slot> {
    match tables.content(Table::Heads, &key::entity(entity))? {
        None => Ok(Slot::Vacant),
        Some(head) => slot(tables, entity, head),
    }
}

/// What a head stands for.
pub(crate) fn slot(tables: &Tables, entity: &Key, head: Result<HeadRow, Flaw>) -> Result<Slot> {
    let place = key::entity(entity);
    let damaged = |damage: Damage| Slot::Damaged(Box::new(damage));
    let head = match head {
        Ok(head) => head,
        Err(flaw) => return Ok(damaged(tables.damage(Table::Heads, &place, flaw))),
    };
    if !head.live {
        return Ok(Slot::Tombstone { key: entity.clone(), version: head.version, at: head.at });
    }
    let version = match current(tables, entity, &head)? {
        Ok(row) => row.version,
        Err(damage) => return Ok(damaged(damage)),
    };
    let record = version.into_record(head.transient);
    Ok(record.map_or_else(
        || {
            let flaw = Flaw::new("it says that it lives, and its version that it does not");
            damaged(tables.damage(Table::Heads, &place, flaw))
        },
        |record| Slot::Live(Box::new(record)),
    ))
}

/// The version a head stands for, if it is the one the head was made from.
pub(crate) fn current(
    tables: &Tables,
    entity: &Key,
    head: &HeadRow,
) -> Result<Verified<VersionRow>> {
    let place = key::version(entity, head.version);
    let found: Verified<VersionRow> = tables.kept(Table::History, &place)?;
    Ok(found.and_then(|row| {
        if row.version.checksum() == head.checksum {
            return Ok(row);
        }
        let flaw = Flaw::new("it is not the version its entity's head was made from");
        Err(tables.damage(Table::History, &place, flaw))
    }))
}
