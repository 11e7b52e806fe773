//! Saved states: made by hand, before going back, and of everything at the end.

use std::time::Duration;

use outlast_core::{
    Action, AttrName, AttrValue, Attributes, Cause, Checkpoint, ErrorKind, Expect, Filter, Json,
    Key, Kind, Op, Page, Prune, PrunePlan, Put, Query, Record, Revision, Scope, Space, Versioned,
};
use outlast_store::{Retry, Store, StoreOptions};
use serde_json::json;

use crate::kinds::{Door, Job, Lock, Note, Stage, door, job, note, set};
use crate::shaky::{Fate, Shaky, interfere};
use crate::{kind, memory, store};

/// Content that no program of ours would write just so.
const ODD: &str = r#"{"b":1.0,  "a":[1e2,"\u00e9", 12345678901234567890]}"#;

async fn put_odd(store: &Store, key: &Key) -> Record {
    let mut draft = store.draft();
    draft.op(Op::Put(Put {
        key: key.clone(),
        expect: Expect::Any,
        schema: 3,
        attrs: Attributes::from([(AttrName::status(), AttrValue::from("odd"))]),
        state: Json::parse(ODD).unwrap(),
    }));
    draft.commit().await.unwrap();
    present(store, key).await
}

async fn present(store: &Store, key: &Key) -> Record {
    let slot = store.get(std::slice::from_ref(key)).await.unwrap().remove(0);
    slot.live().unwrap().unwrap()
}

async fn versions(store: &Store, key: &Key) -> Vec<Versioned> {
    let scope = Scope::Entity(key.clone());
    let page = store.history(&outlast_core::HistoryQuery::of(scope)).await.unwrap();
    page.items.into_iter().map(Result::unwrap).collect()
}

async fn saved(store: &Store, key: &Key) -> Vec<Checkpoint> {
    let page = store.checkpoints(key, &Page::default()).await.unwrap();
    page.items.into_iter().map(|found| found.unwrap().into_value()).collect()
}

async fn revision(store: &Store) -> usize {
    store.changes(Revision::ZERO, 1000).await.unwrap().items.len()
}

#[tokio::test]
async fn a_checkpoint_holds_what_was_there_to_the_letter() {
    let store = store();
    let key = Key::new("thing", "a").unwrap();
    let record = put_odd(&store, &key).await;
    let made = store.checkpoint(&key, "by hand", Cause::default()).await.unwrap();
    assert_eq!((made.of.clone(), made.reason.as_str()), (key.clone(), "by hand"));
    assert_eq!((made.schema, &made.attrs, made.data.as_str()), (3, &record.attrs, ODD));
    let found = saved(&store, &key).await.remove(0);
    assert_eq!((found.version, found.data.as_str()), (record.version, ODD));
    assert_eq!(present(&store, &key).await, record, "what is saved does not change");
}

#[tokio::test]
async fn going_back_restores_to_the_letter_and_saves_what_was_there_in_one_commit() {
    let store = store();
    let key = Key::new("thing", "a").unwrap();
    let odd = put_odd(&store, &key).await;
    let mut draft = store.draft();
    let next = Put {
        key: key.clone(),
        expect: Expect::Live,
        schema: 4,
        attrs: Attributes::new(),
        state: Json::parse("[1.50]").unwrap(),
    };
    draft.op(Op::Put(next));
    draft.commit().await.unwrap();
    let cause = Cause::by("user:ann".parse().unwrap()).because("it was wrong");
    let done = store.rollback(&key, 1, cause).await.unwrap();

    let now = present(&store, &key).await;
    assert_eq!((now.version, now.updated_at), (done.version, done.at));
    assert_eq!((now.version.n, now.state.as_str(), now.schema), (3, ODD, odd.schema));
    assert_eq!(now.attrs, odd.attrs);
    let checkpoints = saved(&store, &key).await;
    let [checkpoint] = checkpoints.as_slice() else { panic!("{checkpoints:?}") };
    assert_eq!((checkpoint.version.n, checkpoint.schema), (2, 4));
    assert_eq!(checkpoint.data.as_str(), "[1.50]");
    assert_eq!(checkpoint.reason, Checkpoint::BEFORE_ROLLBACK);
    assert!(checkpoint.created_at <= done.at);

    let change = store.changes(Revision::ZERO, 10).await.unwrap().items.pop().unwrap();
    let written = change.versions.into_iter().map(Result::unwrap).collect::<Vec<_>>();
    let named: Vec<_> = written.iter().map(|version| version.key.to_string()).collect();
    assert_eq!(named, ["thing/a".to_owned(), format!("checkpoint/{}", done.checkpoint)]);
    let version = &written[0];
    assert_eq!(
        (&version.action, version.reason.as_deref()),
        (&Action::rollback(), Some("it was wrong"))
    );
    let metadata = json!({ "to_version": 1, "checkpoint": done.checkpoint });
    assert_eq!(version.metadata.as_ref().unwrap().as_str(), metadata.to_string());
}

#[tokio::test]
async fn what_a_caller_says_about_going_back_is_kept() {
    let store = store();
    let notes = store.kind::<Note>();
    let key = notes.create("a", &note("one")).await.unwrap().key;
    for (given, kept) in [(r#"{"ticket":7}"#, r#""ticket":7"#), ("[1]", r#""given":[1]"#)] {
        let cause = Cause { metadata: Some(Json::parse(given).unwrap()), ..Cause::default() };
        store.rollback(&key, 1, cause).await.unwrap();
        let last = versions(&store, &key).await.pop().unwrap();
        let metadata = last.metadata.unwrap();
        assert!(metadata.as_str().contains(kept), "{metadata}");
        assert!(metadata.as_str().contains(r#""to_version":1"#), "{metadata}");
    }
}

#[tokio::test]
async fn going_back_that_is_refused_leaves_nothing_behind() {
    let store = store();
    let notes = store.kind::<Note>();
    let first = notes.create("a", &note("one")).await.unwrap();
    notes.replace(&first, note("two")).await.unwrap();
    let plan = PrunePlan { items: vec![Prune::History { key: first.key.clone(), below: 2 }] };
    assert!(store.prune(&plan, 10).await.unwrap().done);
    store.kind::<Door>().create("d", &door(Lock::Open)).await.unwrap();
    let untyped = |kind: &str, id: &str, n| {
        let (store, key) = (store.clone(), Key::new(kind, id).unwrap());
        async move { store.rollback(&key, n, Cause::default()).await }
    };
    let before = store.kinds().await.unwrap();
    assert_eq!(kind(untyped("note", "a", 1).await), ErrorKind::VersionGone, "pruned");
    assert_eq!(kind(untyped("note", "a", 3).await), ErrorKind::VersionGone, "never written");
    assert_eq!(kind(untyped("note", "b", 1).await), ErrorKind::NotFound);
    assert_eq!(kind(untyped("door", "d", 1).await), ErrorKind::Unsupported, "the kind says no");
    assert_eq!(kind(store.restore("no such", Cause::default()).await), ErrorKind::NotFound);
    for kind_of in ["task", "command", "pipeline", "window", "claim", "lease", "checkpoint"] {
        let error = untyped(kind_of, "x", 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(kind_of), "{error}");
    }
    assert_eq!(store.kinds().await.unwrap(), before, "no checkpoint");
    assert_eq!(notes.get("a").await.unwrap().version.n, 2);
}

#[tokio::test]
async fn going_back_ignores_the_status_machine_and_says_so_in_the_history() {
    let store = store();
    let jobs = store.kind::<Job>();
    jobs.create("a", &job(Stage::Waiting, 1)).await.unwrap();
    jobs.transition("a", Stage::Working).await.unwrap();
    jobs.transition("a", Stage::Over).await.unwrap();
    let back = jobs.rollback_to("a", 2).await.unwrap();
    assert_eq!((back.stage, back.version.n), (Stage::Working, 4));
    let over = jobs.rollback_to("a", 3).await.unwrap();
    assert_eq!(over.stage, Stage::Over);
    let status =
        |status: &str| jobs.query().unwrap().filter(Filter::is(AttrName::status(), status));
    assert_eq!(jobs.count(&status("over"), &[]).await.unwrap().total, 1, "attributes follow");
    assert_eq!(jobs.count(&status("working"), &[]).await.unwrap().total, 0);
}

#[tokio::test]
async fn a_checkpoint_is_restored_also_when_its_version_was_pruned() {
    let store = store();
    let notes = store.kind::<Note>();
    notes.create("a", &note("one")).await.unwrap();
    let first = notes.checkpoint("a", "kept").await.unwrap();
    notes.update("a", set("two")).await.unwrap();
    let plan = PrunePlan { items: vec![Prune::History { key: notes.key("a").unwrap(), below: 2 }] };
    assert!(store.prune(&plan, 10).await.unwrap().done);
    let back = notes.restore(first.id()).await.unwrap();
    assert_eq!((back.text.as_str(), back.version.n), ("one", 3));
    assert_eq!(notes.get("a").await.unwrap().version, back.version);
    let latest = notes.latest_checkpoint("a").await.unwrap().unwrap();
    assert_eq!(
        (latest.reason.as_str(), latest.data.as_str()),
        ("pre_restore", r#"{"text":"two"}"#)
    );
    let last = versions(&store, &back.key).await.pop().unwrap();
    assert_eq!(last.action, Action::restore());
    let metadata = json!({ "restored": first.id(), "checkpoint": latest.id() });
    assert_eq!(last.metadata.unwrap().as_str(), metadata.to_string());
    assert_eq!(kind(store.kind::<Job>().restore(first.id()).await), ErrorKind::Invalid);
    notes.delete(&back).await.unwrap();
    assert_eq!(kind(notes.restore(first.id()).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn checkpoints_are_listed_the_newest_first_page_by_page() {
    let store = store();
    let notes = store.kind::<Note>();
    let long = "é".repeat(254);
    let ids = ["a".to_owned(), format!("{long}x"), format!("{long}y")];
    for id in &ids {
        notes.create(id, &note(id)).await.unwrap();
    }
    for n in 0..7 {
        for id in &ids {
            notes.checkpoint(id, &n.to_string()).await.unwrap();
        }
    }
    for id in &ids {
        let mut page = Page::first(2);
        let mut reasons = String::new();
        loop {
            let found = notes.checkpoints(id, &page).await.unwrap();
            assert!(found.items.len() <= 2);
            for checkpoint in found.items.into_iter().map(Result::unwrap) {
                assert_eq!(checkpoint.of.id(), id);
                reasons.push_str(&checkpoint.reason);
            }
            let Some(next) = found.next else { break };
            page = page.after(next);
        }
        assert_eq!(reasons, "6543210");
        assert_eq!(notes.latest_checkpoint(id).await.unwrap().unwrap().reason, "6");
    }
    notes.create("none", &note("")).await.unwrap();
    assert!(notes.latest_checkpoint("none").await.unwrap().is_none());
    let reason = "x".repeat(5000);
    assert_eq!(kind(notes.checkpoint("a", &reason).await), ErrorKind::TooLarge);
    assert_eq!(kind(notes.checkpoint("b", "").await), ErrorKind::NotFound);
}

#[tokio::test]
async fn lineages_have_checkpoints_of_their_own() {
    let store = store();
    let key = Key::new("thing", "a").unwrap();
    let other = key.clone().in_space(Space(1));
    for key in [&key, &other] {
        put_odd(&store, key).await;
    }
    store.checkpoint(&key, "here", Cause::default()).await.unwrap();
    store.checkpoint(&other, "there", Cause::default()).await.unwrap();
    let reasons = |found: Vec<Checkpoint>| found.into_iter().map(|c| c.reason).collect::<Vec<_>>();
    assert_eq!(reasons(saved(&store, &key).await), ["here"]);
    assert_eq!(reasons(saved(&store, &other).await), ["there"]);
    assert_eq!(store.latest_checkpoint(&key).await.unwrap().unwrap().reason, "here");
    store.rollback(&other, 1, Cause::default()).await.unwrap();
    assert_eq!(present(&store, &other).await.version.n, 2);
    assert_eq!(present(&store, &key).await.version.n, 1);
}

#[tokio::test]
async fn checkpoints_are_not_saved_themselves() {
    let store = store();
    let notes = store.kind::<Note>();
    notes.create("a", &note("one")).await.unwrap();
    let made = notes.checkpoint("a", "by hand").await.unwrap();
    let again = store.checkpoint(&made.key, "why", Cause::default()).await;
    assert_eq!(kind(again), ErrorKind::Unsupported);
    let checkpoints = store.kind::<Checkpoint>();
    let all = checkpoints.query().unwrap();
    assert_eq!(kind(checkpoints.checkpoint_all(&all, "why").await), ErrorKind::Unsupported);
    assert_eq!(checkpoints.count(&all, &[]).await.unwrap().total, 1);
}

#[tokio::test]
async fn everything_that_matches_is_saved_in_bounded_commits() {
    let store = store();
    let jobs = store.kind::<Job>();
    let mut draft = store.draft();
    for n in 0..150_u32 {
        let stage = if n % 3 == 0 { Stage::Over } else { Stage::Working };
        draft.create(&format!("{n:03}"), &job(stage, n.into())).unwrap();
    }
    draft.commit().await.unwrap();
    let working = jobs.query().unwrap().filter(Filter::is(AttrName::status(), "working"));
    let before = revision(&store).await;
    let done = jobs.checkpoint_all(&working, Checkpoint::STOP).await.unwrap();
    assert_eq!((done.saved, done.failed), (100, 0));
    assert_eq!(revision(&store).await - before, 2, "64 and 36");
    let count = Query::of(Kind::new(<Checkpoint as outlast_core::Entity>::KIND).unwrap());
    assert_eq!(store.count(&count, &[]).await.unwrap().total, 100);
    let one = jobs.latest_checkpoint("001").await.unwrap().unwrap();
    assert_eq!((one.reason.as_str(), one.version.n), (Checkpoint::STOP, 1));
    assert!(jobs.latest_checkpoint("000").await.unwrap().is_none());
}

#[tokio::test]
async fn one_that_is_too_large_does_not_keep_the_others_from_being_saved() {
    let store = store();
    let notes = store.kind::<Note>();
    let most = store.info().limits.state_bytes;
    for n in 0..5 {
        notes.create(&n.to_string(), &note(&"x".repeat(most - 100_000))).await.unwrap();
    }
    notes.create("large", &note(&"x".repeat(most - 100))).await.unwrap();
    notes.create("small", &note("x")).await.unwrap();
    let done = notes.checkpoint_all(&notes.query().unwrap(), "all").await.unwrap();
    assert_eq!((done.saved, done.failed), (6, 1));
    let first = done.first.unwrap();
    assert_eq!(first.kind(), ErrorKind::TooLarge);
    assert!(first.to_string().contains("note/large"), "{first}");
    assert!(notes.latest_checkpoint("small").await.unwrap().is_some());
    assert_eq!(kind(notes.rollback_to("large", 1).await), ErrorKind::TooLarge);
}

/// A store in which each write of a new version of the note, from the `from`th on, is overtaken.
fn overtaken(from: usize, times: usize) -> Store {
    let (mut writes, key) = (0, Key::new("note", "a").unwrap());
    let backend = Shaky::new(move |memory, _| {
        writes += 1;
        if (from..from + times).contains(&writes) {
            interfere(memory, &key, r#"{"text":"theirs"}"#);
        }
        Fate::Written
    });
    let retry = Retry { max_tries: 3, base_delay: Duration::ZERO, ..Retry::default() };
    Store::open(backend, StoreOptions { retry, ..StoreOptions::default() })
}

#[tokio::test]
async fn an_update_that_comes_between_is_what_the_checkpoint_holds() {
    let store = overtaken(2, 1);
    let notes = store.kind::<Note>();
    let key = notes.create("a", &note("one")).await.unwrap().key;
    let back = notes.rollback_to("a", 1).await.unwrap();
    assert_eq!((back.version.n, back.text.as_str()), (3, "one"));
    let checkpoints = saved(&store, &key).await;
    assert_eq!(checkpoints.len(), 1, "one for one rollback: {checkpoints:?}");
    assert_eq!(checkpoints[0].data.as_str(), r#"{"text":"theirs"}"#);
}

#[tokio::test]
async fn going_back_that_never_gets_through_leaves_no_checkpoint() {
    let store = overtaken(2, 99);
    let notes = store.kind::<Note>();
    let key = notes.create("a", &note("one")).await.unwrap().key;
    assert_eq!(kind(notes.rollback_to("a", 1).await), ErrorKind::RetriesExhausted);
    assert!(saved(&store, &key).await.is_empty());
    assert_eq!(notes.get("a").await.unwrap().text, "theirs");
}

#[tokio::test]
async fn going_back_works_with_locking_and_audit_off() {
    let options = StoreOptions { locking: false, audit: false, ..StoreOptions::default() };
    let store = Store::open(memory(), options);
    let notes = store.kind::<Note>();
    let first = notes.create("a", &note("one")).await.unwrap();
    notes.replace(&first, note("two")).await.unwrap();
    let back = notes.rollback_to("a", 1).await.unwrap();
    assert_eq!((back.version.n, back.text.as_str()), (3, "one"));
    assert_eq!(saved(&store, &back.key).await.len(), 1);
    let last = versions(&store, &back.key).await.pop().unwrap();
    assert_eq!((last.actor, last.metadata, last.action), (None, None, Action::rollback()));
}
