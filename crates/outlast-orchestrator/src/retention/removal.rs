//! Removing for good what was deleted: output first, the tombstone last.

use outlast_core::{
    Action, Actor, Cause, HistoryQuery, Key, Page, Prune, PrunePlan, Result, Scope, StreamQuery,
    Task, Version,
};
use outlast_store::{Draft, Store};

use super::report::Report;

/// So many rows are removed between two groups of commits.
const SLICE: u32 = 1000;
/// Entries may be large, so few are read at once.
const ENTRIES: u32 = 64;

fn cleanup() -> Result<Action> {
    Action::new("cleanup")
}

/// A draft that deletes.
pub(super) fn deletion(store: &Store) -> Result<Draft> {
    let mut draft = store.comparing().draft();
    draft.cause(Cause::by(Actor::Cleanup).called(cleanup()?));
    Ok(draft)
}

/// Whether it was retention that deleted an entity; tombstones of others are not its to remove.
pub(super) async fn is_ours(store: &Store, key: &Key) -> Result<bool> {
    let scope = Scope::Entity(key.clone());
    let page = Page::first(1);
    let query = HistoryQuery { newest_first: true, page, ..HistoryQuery::of(scope) };
    let newest = store.history(&query).await?.items.pop().transpose()?;
    let cleanup = cleanup()?;
    Ok(newest.is_some_and(|version| version.action == cleanup))
}

/// The stream of an attempt's output.
fn log_of(task: &Key) -> Result<Key> {
    Ok(Key::new(Task::LOG, task.id())?.in_space(task.space))
}

/// Counts an attempt and its output.
pub(super) async fn count_task(store: &Store, task: &Key, report: &mut Report) -> Result<()> {
    report.tasks += 1;
    let page = Page::first(ENTRIES);
    let mut query = StreamQuery { page, ..StreamQuery::of(log_of(task)?) };
    loop {
        let found = store.read(&query).await?;
        for entry in found.items {
            report.log_entries += 1;
            // Damaged output is removed like any other.
            report.log_bytes += entry.map_or(0, |entry| entry.data.len() as u64);
        }
        let Some(next) = found.next else { return Ok(()) };
        query.page = query.page.after(next);
    }
}

/// Removes attempts that were deleted, each with its output and history.
pub(super) async fn remove_tasks(store: &Store, deleted: Vec<(Key, Version)>) -> Result<()> {
    let mut items = Vec::with_capacity(2 * deleted.len());
    for (key, version) in deleted {
        items.push(Prune::Stream(log_of(&key)?));
        items.push(Prune::Tombstone { key, version });
    }
    if items.is_empty() { Ok(()) } else { remove(store, items).await }
}

pub(super) async fn remove(store: &Store, items: Vec<Prune>) -> Result<()> {
    let plan = PrunePlan { items };
    while !store.prune(&plan, SLICE).await?.done {}
    Ok(())
}
