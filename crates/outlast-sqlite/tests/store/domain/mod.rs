//! The kinds of the domain, written through the library and read as tables.

mod columns;
mod fleet;
mod plans;
mod swarm;
mod upgrade;
mod windows;

use std::sync::Arc;

use outlast_core::{Backend, Entity, ManualClock, Timestamp};
use outlast_store::{Store, StoreOptions};

use crate::house::House;
use crate::views::table;

pub(super) const NOW: &str = "2026-03-14T01:00:00.000000Z";

pub(super) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A store whose clock stands still.
pub(super) async fn store(house: &House) -> Store {
    over(Arc::new(house.open().await))
}

pub(super) fn over(backend: Arc<dyn Backend>) -> Store {
    let clock = Arc::new(ManualClock::at(now()));
    Store::open(backend, StoreOptions { clock, ..StoreOptions::default() })
}

pub(super) async fn create<T: Entity>(store: &Store, id: &str, value: &T) {
    store.kind::<T>().create(id, value).await.unwrap();
}

/// The one row a query finds, as pairs of columns and texts.
pub(super) async fn row(house: &House, view: &str, columns: &[&str]) -> Vec<String> {
    let list: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
    let mut rows = table(house, &format!("SELECT {} FROM {view}", list.join(", "))).await;
    assert_eq!(rows.len(), 1, "{view}");
    rows.remove(0)
}

/// Compares the one row of a view with what its columns should say.
pub(super) async fn assert_row(house: &House, view: &str, expected: &[(&str, &str)]) {
    let columns: Vec<&str> = expected.iter().map(|(column, _)| *column).collect();
    let found = row(house, view, &columns).await;
    for ((column, expected), found) in expected.iter().zip(&found) {
        assert_eq!(found, expected, "{view}.{column}");
    }
}
