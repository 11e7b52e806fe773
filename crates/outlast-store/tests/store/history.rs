//! Past versions, and going back to them.

use std::time::Duration;

use outlast_core::{
    Action, Actor, Cause, ErrorKind, Key, Page, Prune, PrunePlan, Scope, Slot, Versioned,
};
use outlast_store::{Retry, Store, StoreOptions};

use crate::kinds::{Door, Lock, Note, door, note, set};
use crate::shaky::{Fate, Shaky, interfere};
use crate::{kind, store};

async fn with_versions(store: &Store, texts: &[&str]) {
    let notes = store.kind::<Note>();
    let mut stored = notes.create("a", &note(texts[0])).await.unwrap();
    for text in &texts[1..] {
        stored = notes.replace(&stored, note(text)).await.unwrap();
    }
}

async fn versions(store: &Store) -> Vec<Versioned> {
    let scope = Scope::Entity(Key::new("note", "a").unwrap());
    let page = store.history(&outlast_core::HistoryQuery::of(scope)).await.unwrap();
    page.items.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn the_newest_version_comes_first_page_by_page() {
    let store = store();
    with_versions(&store, &["one", "two", "three"]).await;
    let notes = store.kind::<Note>().with_cause(Cause::by(Actor::Recovery).because("tidy"));
    notes.delete(&notes.get("a").await.unwrap()).await.unwrap();
    let first = notes.history("a", Page::first(2)).await.unwrap();
    let seen: Vec<_> = first.items.iter().map(|past| past.as_ref().unwrap()).collect();
    assert_eq!((seen[0].version.version.n, &seen[0].value), (4, &None));
    assert_eq!(seen[0].version.action, Action::delete());
    assert_eq!(seen[0].version.actor, Some(Actor::Recovery));
    assert_eq!(seen[0].version.reason.as_deref(), Some("tidy"));
    assert_eq!(seen[1].value, Some(note("three")));
    let next = Page::first(2).after(first.next.unwrap());
    let last = notes.history("a", next).await.unwrap();
    let texts = last.items.into_iter().map(|past| past.unwrap().value.unwrap().text);
    assert_eq!(texts.collect::<Vec<_>>(), ["two", "one"]);
    assert_eq!(last.next, None);
}

#[tokio::test]
async fn going_back_makes_the_exact_content_the_new_version() {
    let store = store();
    with_versions(&store, &["one", "two", "three"]).await;
    let notes = store.kind::<Note>();
    let back = notes.rollback_to("a", 1).await.unwrap();
    assert_eq!((back.version.n, back.text.as_str()), (4, "one"));
    assert_eq!(notes.get("a").await.unwrap().version, back.version);
    let versions = versions(&store).await;
    let (first, last) = (&versions[0], &versions[3]);
    assert_eq!((&last.state, &last.attrs, last.schema), (&first.state, &first.attrs, first.schema));
    assert_eq!(last.action, Action::rollback());
    assert_eq!(last.at, back.updated_at);
    assert_eq!(versions.len(), 4, "nothing is rewritten");
    let next = notes.replace(&back, note("on")).await.unwrap();
    assert_eq!(next.version.n, 5, "what it returned is the present");
}

#[tokio::test]
async fn a_version_that_is_not_there_cannot_be_gone_back_to() {
    let store = store();
    with_versions(&store, &["one", "two"]).await;
    let notes = store.kind::<Note>();
    assert_eq!(kind(notes.rollback_to("a", 3).await), ErrorKind::VersionGone);
    assert_eq!(kind(notes.rollback_to("a", 0).await), ErrorKind::VersionGone);
    let key = notes.key("a").unwrap();
    let plan = PrunePlan { items: vec![Prune::History { key, below: 2 }] };
    assert!(store.prune(&plan, 10).await.unwrap().done);
    assert_eq!(kind(notes.rollback_to("a", 1).await), ErrorKind::VersionGone);
    notes.delete(&notes.get("a").await.unwrap()).await.unwrap();
    notes.create("a", &note("new")).await.unwrap();
    assert_eq!(kind(notes.rollback_to("a", 3).await), ErrorKind::VersionGone, "a deletion");
    assert_eq!(notes.get("a").await.unwrap().version.n, 4);
}

#[tokio::test]
async fn what_mirrors_the_outside_world_cannot_go_back() {
    let doors = store().kind::<Door>();
    doors.create("front", &door(Lock::Open)).await.unwrap();
    doors.transition("front", Lock::Shut).await.unwrap();
    assert_eq!(kind(doors.rollback_to("front", 1).await), ErrorKind::Unsupported);
    assert_eq!(doors.get("front").await.unwrap().version.n, 2);
}

/// A store whose first writes, from `from` on, are overtaken `times` times.
fn overtaken(from: usize, times: usize) -> Store {
    let (mut writes, key) = (0, Key::new("note", "a").unwrap());
    let backend = Shaky::new(move |memory, _| {
        writes += 1;
        if (from..from + times).contains(&writes) {
            interfere(memory, &key, r#"{"text":"theirs"}"#);
        }
        Fate::Written
    });
    let retry = Retry { max_tries: 3, base_delay: Duration::from_millis(1), ..Retry::default() };
    Store::open(backend, StoreOptions { retry, ..StoreOptions::default() })
}

#[tokio::test(start_paused = true)]
async fn going_back_wins_over_an_update_that_came_between() {
    let store = overtaken(3, 1);
    with_versions(&store, &["one", "two"]).await;
    let back = store.kind::<Note>().rollback_to("a", 1).await.unwrap();
    assert_eq!((back.version.n, back.text.as_str()), (4, "one"));
    let texts: Vec<_> =
        versions(&store).await.into_iter().map(|past| past.state.unwrap()).collect();
    assert!(texts[2].as_str().contains("theirs"), "the update is in the history: {texts:?}");
}

#[tokio::test]
async fn going_back_and_updates_of_one_process_queue() {
    let store = store();
    with_versions(&store, &["", "x"]).await;
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let notes = store.kind::<Note>();
            tokio::spawn(async move {
                if n % 4 == 0 {
                    return notes.rollback_to("a", 1).await.unwrap();
                }
                let add = |note: &mut Note| {
                    note.text.push('x');
                    Ok(())
                };
                notes.update("a", add).await.unwrap()
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let versions = versions(&store).await;
    assert_eq!(versions.len(), 42);
    for pair in versions.windows(2).skip(1) {
        let length = |version: &Versioned| version.state.as_ref().unwrap().as_str().len();
        let back = pair[1].action == Action::rollback();
        let expected = if back { length(&versions[0]) } else { length(&pair[0]) + 1 };
        assert_eq!(length(&pair[1]), expected, "{pair:?}");
    }
    let slot = store.get(&[Key::new("note", "a").unwrap()]).await.unwrap().remove(0);
    assert!(matches!(slot, Slot::Live(record) if record.version.n == 42));
}

#[tokio::test]
async fn a_rollback_from_another_version_is_refused_and_writes_nothing() {
    let store = store();
    let notes = store.kind::<Note>();
    notes.create("a", &note("one")).await.unwrap();
    notes.update("a", set("two")).await.unwrap();
    let key = notes.key("a").unwrap();
    let refused = store.rollback_from(&key, 1, 1, Cause::default()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(refused.mismatch().unwrap().actual.unwrap().n, 2);
    assert!(store.latest_checkpoint(&key).await.unwrap().is_none());
    let back = store.rollback_from(&key, 2, 1, Cause::default()).await.unwrap();
    assert_eq!((back.version.n, notes.get("a").await.unwrap().text.as_str()), (3, "one"));
}
