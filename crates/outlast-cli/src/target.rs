//! Which entity somebody means.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::StreamExt as _;
use outlast::tasks::RunState;
use outlast::{
    Claim, Consumption, Cursor, Entity as _, Error, ErrorKind, Id, Key, Kind, Lease, Page, Query,
    Result, Slot, Space, StageOutcome, Store, Stored, Task, WindowItem,
};

use crate::runs;

/// How many candidates an error names.
const MOST_NAMED: usize = 10;

/// Kinds that are part of another, and meant only where their id is written out.
const PARTS: [&str; 5] =
    [Claim::KIND, Consumption::KIND, Lease::KIND, StageOutcome::KIND, WindowItem::KIND];

/// A kind as an argument.
pub(crate) fn kind(text: &str) -> Result<Kind> {
    Kind::new(text)
}

/// The kinds there is anything of.
pub(crate) async fn kinds(store: &Store) -> Result<Vec<Kind>> {
    let held = store.kinds().await?.entities.into_iter();
    Ok(held.filter(|(space, _)| *space == Space::default()).map(|(_, kind)| kind).collect())
}

/// The entity of one of these kinds with this id; else the newest attempt at the task of this
/// name in the newest run; else the only one whose id begins so.
///
/// `NotFound` if there is none; `Invalid`, naming the candidates, if there are several.
pub(crate) async fn entity(store: &Store, text: &str, kinds: &[Kind]) -> Result<Key> {
    let mut exact = by_id(store, text, kinds).await?;
    match (exact.pop(), exact.is_empty()) {
        (Some(key), true) => return Ok(key),
        (Some(last), false) => return Err(several_kinds(text, &exact, &last)),
        (None, _) => {}
    }
    if kinds.iter().any(|kind| kind.as_str() == Task::KIND)
        && let Some(task) = by_name(store, text).await?
    {
        return Ok(task);
    }
    let mut keys = by_prefix(store, text, kinds).await?;
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        (Some(last), false) => Err(ambiguous(text, keys, last)),
        (None, _) => Err(Error::new(ErrorKind::NotFound, absent(text, kinds))),
    }
}

/// Those that have just this id. One that cannot be read is one of them.
async fn by_id(store: &Store, text: &str, kinds: &[Kind]) -> Result<Vec<Key>> {
    let id = Id::new(text)?;
    let keys: Vec<_> = kinds.iter().map(|kind| Key::of(kind.clone(), id.clone())).collect();
    let slots = store.get(&keys).await?;
    let found = keys.into_iter().zip(slots);
    let found = found.filter(|(_, slot)| matches!(slot, Slot::Live(_) | Slot::Damaged(_)));
    Ok(found.map(|(key, _)| key).collect())
}

async fn by_name(store: &Store, name: &str) -> Result<Option<Key>> {
    let newest = RunState::newest(store).await?;
    let mut tasks = newest.into_iter().flat_map(|state| state.tasks);
    Ok(tasks.find(|task| task.spec.name == name).map(|task| task.key))
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

/// Those whose id begins with `prefix`, as many as can be named.
async fn by_prefix(store: &Store, prefix: &str, kinds: &[Kind]) -> Result<Vec<Key>> {
    let mut found = Vec::new();
    for kind in kinds {
        if kinds.len() > 1 && PARTS.contains(&kind.as_str()) {
            continue;
        }
        // The first id after the prefix itself: ids that begin with it follow one another.
        let after = Some(Cursor::listing(None, prefix));
        let limit = u32::try_from(MOST_NAMED - found.len() + 1).unwrap_or(1);
        let query = Query { page: Page { limit, after }, ..Query::of(kind.clone()) };
        let page = store.list(&query).await?;
        let keys = page.items.into_iter().filter_map(|slot| match slot {
            Slot::Live(record) => Some(record.key),
            _ => None,
        });
        found.extend(keys.take_while(|key| key.id().starts_with(prefix)));
        if found.len() > MOST_NAMED {
            break;
        }
    }
    Ok(found)
}

fn several_kinds(text: &str, others: &[Key], last: &Key) -> Error {
    let kinds: Vec<_> = others.iter().map(|key| key.kind.as_str()).collect();
    let (kinds, last) = (kinds.join(", "), &last.kind);
    Error::invalid(format!(
        "{text:?} is the id of entities of several kinds: {kinds} and {last}; choose one with \
         --kind {last}"
    ))
}

fn ambiguous(text: &str, mut keys: Vec<Key>, last: Key) -> Error {
    keys.push(last);
    let more = if keys.len() > MOST_NAMED { " and more" } else { "" };
    keys.truncate(MOST_NAMED);
    let one_kind =
        keys.windows(2).all(|pair| matches!(pair, [one, other] if one.kind == other.kind));
    let names = keys.iter().map(|key| {
        if one_kind { key.id().to_owned() } else { format!("{} {}", key.kind, key.id()) }
    });
    let names = names.collect::<Vec<_>>().join(", ");
    let (what, other_way) = match keys.first() {
        Some(key) if one_kind => (format!("ids of several {}s", key.kind), ""),
        _ => ("several ids".to_owned(), ", or choose a kind with --kind"),
    };
    Error::invalid(format!(
        "{text:?} begins the {what}: {names}{more}; write more of it{other_way}"
    ))
}

fn absent(text: &str, kinds: &[Kind]) -> String {
    match kinds {
        [kind] if kind.as_str() != Task::KIND => {
            format!("no {kind} has the id or the beginning of an id {text:?}")
        }
        [_] => format!(
            "no task has the id or the beginning of an id {text:?}, and no task of the newest \
             run is called so; ps --all lists them"
        ),
        [one, other] => format!(
            "no {one} or {other} has the id or the beginning of an id {text:?}, and no task of \
             the newest run is called so; ps --all and {other}s list them"
        ),
        _ => format!(
            "nothing has the id or the beginning of an id {text:?}, and no task of the newest \
             run is called so; ps, swarms, agents, commands and the like list what there is"
        ),
    }
}
