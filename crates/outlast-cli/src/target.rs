//! Which task somebody means.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::StreamExt as _;
use outlast::tasks::RunState;
use outlast::{Cursor, Error, ErrorKind, Page, Result, Slot, Store, Stored, Task};

use crate::runs;

/// How many candidates an error names.
const MOST_NAMED: u32 = 10;

/// The task with this id; else the newest attempt at the task of this name in the newest run;
/// else the only task whose id begins so.
///
/// `NotFound` if there is none; `Invalid`, naming the candidates, if several ids begin so.
pub(crate) async fn task(store: &Store, text: &str) -> Result<Stored<Task>> {
    if let Some(task) = store.kind::<Task>().find(text).await? {
        return Ok(task);
    }
    if let Some(task) = by_name(store, text).await? {
        return Ok(task);
    }
    let mut ids = by_prefix(store, text).await?;
    match (ids.pop(), ids.is_empty()) {
        (Some(id), true) => store.kind::<Task>().get(&id).await,
        (Some(last), false) => Err(ambiguous(text, ids, last)),
        (None, _) => {
            let message = format!(
                "no task has the id or the beginning of an id {text:?}, and no task of the \
                 newest run is called so; ps --all lists them"
            );
            Err(Error::new(ErrorKind::NotFound, message))
        }
    }
}

async fn by_name(store: &Store, name: &str) -> Result<Option<Stored<Task>>> {
    let newest = RunState::newest(store).await?;
    let mut tasks = newest.into_iter().flat_map(|state| state.tasks);
    Ok(tasks.find(|task| task.spec.name == name))
}

/// All attempts at a task of a run, by its name, the newest last.
pub(crate) async fn attempts(store: &Store, run: &str, name: &str) -> Result<Vec<Stored<Task>>> {
    let query = runs::tasks(store, Some(run))?;
    let mut tasks = pin!(store.kind::<Task>().stream(query));
    let mut attempts = BTreeMap::new();
    while let Some(task) = tasks.next().await {
        match task {
            Ok(task) if task.spec.name == name => {
                attempts.insert(task.attempt, task);
            }
            Ok(_) => {}
            // Another record that cannot be read hides nothing here; verify names it.
            Err(error) if error.is_of_one_record() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(attempts.into_values().collect())
}

/// The ids that begin with `prefix`, as many as can be named.
async fn by_prefix(store: &Store, prefix: &str) -> Result<Vec<String>> {
    let mut query = store.kind::<Task>().query()?;
    // The first id after the prefix itself: ids that begin with it follow one another.
    query.page = Page { limit: MOST_NAMED + 1, after: Some(Cursor::listing(None, prefix)) };
    let page = store.list(&query).await?;
    let ids = page.items.into_iter().filter_map(|slot| match slot {
        Slot::Live(record) => Some(record.key.id().to_owned()),
        _ => None,
    });
    Ok(ids.take_while(|id| id.starts_with(prefix)).collect())
}

fn ambiguous(text: &str, mut ids: Vec<String>, last: String) -> Error {
    ids.push(last);
    let more = if ids.len() > MOST_NAMED as usize { " and more" } else { "" };
    ids.truncate(MOST_NAMED as usize);
    let ids = ids.join(", ");
    Error::invalid(format!(
        "{text:?} begins the ids of several tasks: {ids}{more}; write more of it"
    ))
}
