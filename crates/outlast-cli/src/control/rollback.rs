//! Going back, also out of the database.

use std::path::Path;
use std::sync::Arc;

use outlast::migration::{Migration, Phase, children};
use outlast::store::Store;
use outlast::{
    Backend, Error, HistoryQuery, Kind, Page, Query, Result, Scope, StoreOptions, transfer,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Listener, chosen, finish};
use super::message::{Dropped, Told};

/// What of a kind nothing serves any more once it left the database.
#[derive(Serialize)]
struct Unreachable {
    kind: Kind,
    entities: u64,
    versions: u64,
    streams: u64,
}

const PAGE: u32 = 500;

/// Moves kinds back, children first. `Invalid` if they would leave the database and nobody said
/// what becomes of what it has.
pub(super) async fn rollback(
    migration: &Migration,
    kind: Option<&Kind>,
    to: Phase,
    drop: Option<&Dropped>,
    told: Listener<'_>,
) -> Result<Value> {
    let mut kinds = chosen(migration, kind).await?;
    kinds.reverse();
    let (mut unreachable, mut export) = (Vec::new(), None);
    if to == Phase::Memory {
        let Some(drop) = drop else {
            return Err(Error::invalid(
                "what leaves the database is durable no more: say --drop-durability, with --export \
                 FILE or --discard",
            ));
        };
        let database = migration.database().await?;
        for kind in family(&kinds) {
            if migration.phase(&kind) > Phase::Memory {
                unreachable.push(count(&database, kind).await?);
            }
        }
        if let Dropped::Export(file) = drop {
            write(database, file, told).await?;
            export = Some(file);
        }
    }
    let mut moves = Vec::new();
    for kind in &kinds {
        if migration.phase(kind) > to {
            moves.extend(migration.rollback(kind, to, drop.is_some()).await?);
        }
    }
    for moved in &moves {
        let outlast::migration::Moved { kind, from, to, held_us, .. } = moved.clone();
        told(Told::Moved { kind, from, to, held_us });
    }
    let content = json!({"moves": moves, "unreachable": unreachable, "export": export});
    finish(migration, &family(&kinds), content).await
}

/// The kinds with all that depend on them, which go back with them.
fn family(kinds: &[Kind]) -> Vec<Kind> {
    let mut family = kinds.to_vec();
    let mut at = 0;
    while let Some(parent) = family.get(at).cloned() {
        for child in children(&parent) {
            if !family.contains(&child) {
                family.push(child);
            }
        }
        at += 1;
    }
    family
}

async fn count(database: &Arc<dyn Backend>, kind: Kind) -> Result<Unreachable> {
    let mut counted = Unreachable { kind: kind.clone(), entities: 0, versions: 0, streams: 0 };
    for (space, known) in database.kinds().await?.entities {
        if known == kind {
            let query = Query { space, ..Query::of(kind.clone()) };
            counted.entities += database.count(&query, &[]).await?.total;
        }
    }
    let scope = Scope::All(Some(kind.clone()));
    let mut query = HistoryQuery { page: Page::first(PAGE), ..HistoryQuery::of(scope) };
    loop {
        let page = database.history(&query).await?;
        counted.versions += page.items.len() as u64;
        let Some(next) = page.next else { break };
        query.page = query.page.after(next);
    }
    let mut page = Page::first(PAGE);
    loop {
        let found = database.streams(&kind, &page).await?;
        counted.streams += found.items.len() as u64;
        let Some(next) = found.next else { return Ok(counted) };
        page = page.after(next);
    }
}

/// Exports the database. Closing this store would close nothing: the migration goes on using it.
async fn write(database: Arc<dyn Backend>, file: &Path, told: Listener<'_>) -> Result<()> {
    let store = Store::open(database, StoreOptions::default());
    let mut listener = |step: transfer::Progress| {
        told(Told::Exported { records: step.done.entities + step.done.entries });
    };
    let exported = transfer::export_file(&store, file, &mut listener).await;
    let closed = store.close().await;
    exported?;
    closed
}
