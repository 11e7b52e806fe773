//! Versions, of one entity or in the order the store wrote them.

use outlast_core::{
    AttrValue, Cursor, Epoch, Error, HistoryQuery, Key, Kind, Listed, Result, Scope, Verified,
    Version, Versioned,
};

use super::page::{Filling, beyond};
use crate::codec::{VersionRow, key};
use crate::tables::{Table, Tables};

type History = Listed<Verified<Versioned>>;

/// One page of versions.
pub(crate) fn history(tables: &Tables, query: &HistoryQuery) -> Result<History> {
    match &query.scope {
        Scope::Entity(entity) => of_entity(tables, query, entity),
        Scope::All(kind) => of_all(tables, query, kind.as_ref()),
    }
}

fn of_entity(tables: &Tables, query: &HistoryQuery, entity: &Key) -> Result<History> {
    let prefix = key::beneath(entity);
    let after = query.page.after.as_ref().map(|cursor| place(cursor, entity)).transpose()?;
    let mut page = Filling::new(&query.page)?;
    for pair in beyond(tables, Table::History, &prefix, after.as_deref(), query.newest_first)? {
        let (place, bytes) = pair?;
        let number = key::to_version(&place);
        let (_, version) = number.map_err(|flaw| tables.error(Table::History, &place, flaw))?;
        let found = if in_range(query, version) {
            let row = Tables::met(Table::History, &place, bytes);
            accepted(query, row.map_err(|flaw| tables.damage(Table::History, &place, flaw)))
        } else {
            None
        };
        if !page.take(found, || cursor(version)) {
            break;
        }
    }
    Ok(page.finish())
}

fn of_all(tables: &Tables, query: &HistoryQuery, kind: Option<&Kind>) -> Result<History> {
    let prefix = kind.map(key::of_kind).unwrap_or_default();
    let after = query.page.after.as_ref().map(Cursor::to_number).transpose()?;
    let after = after.map(u64::to_be_bytes);
    let mut page = Filling::new(&query.page)?;
    let after = after.as_ref().map(<[u8; 8]>::as_slice);
    for pair in beyond(tables, Table::Audit, &[], after, query.newest_first)? {
        let (position, bytes) = pair?;
        let damaged = |flaw| tables.error(Table::Audit, &position, flaw);
        let place: Vec<u8> = Tables::met(Table::Audit, &position, bytes).map_err(damaged)?;
        let found = if place.starts_with(&prefix) {
            accepted(query, tables.kept(Table::History, &place)?)
        } else {
            None
        };
        let position = key::to_number(&position);
        let position = position.map_err(|flaw| tables.error(Table::Audit, &place, flaw))?;
        if !page.take(found, || Cursor::number(position)) {
            break;
        }
    }
    Ok(page.finish())
}

fn in_range(query: &HistoryQuery, version: Version) -> bool {
    query.from.is_none_or(|from| version.n >= from) && query.to.is_none_or(|to| version.n <= to)
}

/// The version if it is asked for, or the damage in its place.
fn accepted(query: &HistoryQuery, row: Verified<VersionRow>) -> Option<Verified<Versioned>> {
    match row {
        Ok(row) => query.accepts(&row.version).then_some(Ok(row.version)),
        Err(damage) => Some(Err(damage)),
    }
}

fn cursor(version: Version) -> Cursor {
    let epoch = AttrValue::Int(version.epoch.0.cast_signed());
    Cursor::listing(Some(&epoch), &version.n.to_string())
}

/// The key that a cursor of an entity's history names.
fn place(cursor: &Cursor, entity: &Key) -> Result<Vec<u8>> {
    let (epoch, n) = cursor.to_listing()?;
    match (epoch, n.as_str().parse()) {
        (Some(AttrValue::Int(epoch)), Ok(n)) => {
            let version = Version::new(Epoch(epoch.cast_unsigned()), n);
            Ok(key::version(entity, version))
        }
        _ => Err(Error::invalid(format!("cursor {cursor} does not belong to this query"))),
    }
}
