//! One entity: its head and the version beneath it.

use outlast_core::{Damage, Key, Result, Slot, Verified};

use crate::codec::{Flaw, HeadRow, VersionRow, key};
use crate::tables::{Table, Tables};

/// What lies under a key.
pub(crate) fn lookup(tables: &Tables, entity: &Key) -> Result<Slot> {
    match tables.content::<HeadRow>(Table::Heads, &key::entity(entity))? {
        None => Ok(Slot::Vacant),
        Some(Ok(head)) => slot(tables, entity, head),
        Some(Err(flaw)) => Ok(Slot::Damaged(Box::new(head_damage(tables, entity, flaw)))),
    }
}

/// The damage a flaw in an entity's head is.
pub(crate) fn head_damage(tables: &Tables, entity: &Key, flaw: Flaw) -> Damage {
    flaw.damage(entity, tables.place(Table::Heads))
}

/// What a head stands for.
pub(crate) fn slot(tables: &Tables, entity: &Key, head: HeadRow) -> Result<Slot> {
    if !head.live {
        return Ok(Slot::Tombstone { key: entity.clone(), version: head.version, at: head.at });
    }
    let version = match current(tables, entity, &head)? {
        Ok(row) => row.version,
        Err(damage) => return Ok(Slot::Damaged(Box::new(damage))),
    };
    let record = version.into_record(head.transient);
    Ok(record.map_or_else(
        || {
            let flaw = Flaw::new("its head says it lives and its version says it does not");
            Slot::Damaged(Box::new(head_damage(tables, entity, flaw)))
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
    let found = match tables.content::<VersionRow>(Table::History, &place)? {
        None => Err(Flaw::new("it is gone")),
        Some(Ok(row)) if row.version.checksum() != head.checksum => {
            Err(Flaw::new("it is not the version its head was made from"))
        }
        Some(found) => found,
    };
    Ok(found.map_err(|flaw| {
        let what = format!("{entity} version {}", head.version);
        flaw.damage(what, tables.place(Table::History))
    }))
}
