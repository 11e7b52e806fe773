//! With the locking off the last writer wins, and all else stays as it is.

use outlast_core::{ErrorKind, Expect, Op};
use outlast_store::{Store, StoreOptions};

use crate::kinds::{Counter, Job, Note, Stage, job, note};
use crate::shaky::{Fate, Shaky, interfere};
use crate::{kind, memory, store};

fn unlocked() -> Store {
    Store::open(memory(), StoreOptions { locking: false, ..StoreOptions::default() })
}

#[tokio::test]
async fn the_last_writer_wins_with_the_locking_off() {
    let notes = unlocked().kind::<Note>();
    let stale = notes.create("a", &note("one")).await.unwrap();
    notes.replace(&stale, note("two")).await.unwrap();
    let third = notes.replace(&stale, note("three")).await.unwrap();
    assert_eq!((third.version.n, third.text.as_str()), (3, "three"));
    let next = notes.replace(&third, note("four")).await.unwrap();
    assert_eq!(next.version.n, 4, "what it returned is the present");
    notes.delete(&stale).await.unwrap();
    assert_eq!(kind(notes.get("a").await), ErrorKind::NotFound);
}

#[tokio::test]
async fn what_does_not_live_is_not_replaced_with_the_locking_off() {
    let store = unlocked();
    let notes = store.kind::<Note>();
    let made = notes.create("a", &note("one")).await.unwrap();
    notes.delete(&made).await.unwrap();
    assert_eq!(kind(notes.replace(&made, note("two")).await), ErrorKind::NotFound);
    assert_eq!(kind(notes.delete(&made).await), ErrorKind::NotFound);
    let jobs = store.kind::<Job>();
    let made = jobs.create("a", &job(Stage::Waiting, 0)).await.unwrap();
    jobs.delete(&made).await.unwrap();
    assert_eq!(kind(jobs.replace(&made, job(Stage::Waiting, 1)).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn moves_are_checked_against_what_is_there_with_the_locking_off() {
    let jobs = unlocked().kind::<Job>();
    let stale = jobs.create("a", &job(Stage::Waiting, 0)).await.unwrap();
    jobs.transition("a", Stage::Working).await.unwrap();
    // Waiting to over is no move, but it is working by now.
    let over = jobs.replace(&stale, job(Stage::Over, 1)).await.unwrap();
    assert_eq!(over.version.n, 3);
    // Waiting to working is one, but it is over by now.
    let error = jobs.replace(&stale, job(Stage::Working, 2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalTransition);
    assert!(error.to_string().contains("job/a is at version 3"), "{error}");
    assert!(error.to_string().contains("waiting, working"), "{error}");
    // Reserved moves are open to those who write the whole entity.
    let again = jobs.replace(&stale, job(Stage::Waiting, 3)).await.unwrap();
    assert_eq!((again.version.n, again.steps), (4, 3));
    assert_eq!(kind(jobs.transition("a", Stage::Over).await), ErrorKind::IllegalTransition);
}

#[tokio::test]
async fn batches_stay_whole_and_fences_hold_with_the_locking_off() {
    let store = unlocked();
    let (notes, counters) = (store.kind::<Note>(), store.kind::<Counter>());
    let fence = notes.create("fence", &note("mine")).await.unwrap();
    let stale = notes.create("a", &note("one")).await.unwrap();
    notes.replace(&stale, note("two")).await.unwrap();
    let write = |id: &'static str| {
        let mut draft = store.draft();
        draft.replace(&stale, &note(id)).unwrap().fence(&fence);
        draft.create(id, &Counter { n: 1 }).unwrap();
        async move { draft.commit().await }
    };
    write("first").await.unwrap();
    assert_eq!(kind(write("first").await), ErrorKind::Exists, "claims are checked");
    notes.replace(&fence, note("theirs")).await.unwrap();
    assert_eq!(kind(write("second").await), ErrorKind::Conflict, "fences are checked");
    assert_eq!(notes.get("a").await.unwrap().text, "first");
    assert!(counters.find("second").await.unwrap().is_none());
    let untyped = Op::Delete { key: stale.key.clone(), expect: Expect::At(stale.version) };
    let mut draft = store.draft();
    draft.op(untyped);
    assert_eq!(
        kind(draft.commit().await),
        ErrorKind::Conflict,
        "the contract itself has no switch"
    );
}

#[tokio::test]
async fn closures_lose_no_update_with_the_locking_off() {
    let key = outlast_core::Key::new("note", "a").unwrap();
    let mut writes = 0;
    let backend = Shaky::new(move |memory, _| {
        writes += 1;
        if writes == 2 {
            interfere(memory, &key, r#"{"text":"theirs"}"#);
        }
        Fate::Written
    });
    let retry =
        outlast_store::Retry { base_delay: std::time::Duration::ZERO, ..Default::default() };
    let options = StoreOptions { locking: false, retry, ..StoreOptions::default() };
    let notes = Store::open(backend, options).kind::<Note>();
    notes.create("a", &note("mine")).await.unwrap();
    let add = |note: &mut Note| {
        note.text.push_str(" and mine");
        Ok(())
    };
    let updated = notes.update("a", add).await.unwrap();
    assert_eq!((updated.version.n, updated.text.as_str()), (3, "theirs and mine"));
}

#[tokio::test]
async fn a_promised_version_is_compared_with_the_locking_off() {
    let store = unlocked();
    let notes = store.kind::<Note>();
    let stale = notes.create("a", &note("one")).await.unwrap();
    notes.replace(&stale, note("two")).await.unwrap();
    let promised = notes.replace_later(&stale, note("three")).await.unwrap();
    assert_eq!(promised.version.n, 2);
    assert_eq!(kind(store.sync().await), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_draft_that_compares_does_so_whatever_the_option() {
    let store = unlocked();
    let (notes, jobs) = (store.kind::<Note>(), store.kind::<Job>());
    let stale = notes.create("a", &note("one")).await.unwrap();
    notes.replace(&stale, note("two")).await.unwrap();
    let mut before = store.draft();
    before.compare().unwrap().replace(&stale, &note("three")).unwrap();
    assert_eq!(kind(before.commit().await), ErrorKind::Conflict);
    let mut after = store.draft();
    after.replace(&stale, &note("three")).unwrap().compare().unwrap();
    assert_eq!(kind(after.commit().await), ErrorKind::Conflict);
    let mut deletion = store.draft();
    deletion.delete(&stale).compare().unwrap();
    assert_eq!(kind(deletion.commit().await), ErrorKind::Conflict);
    let waiting = jobs.create("j", &job(Stage::Waiting, 0)).await.unwrap();
    let mut illegal = store.draft();
    illegal.replace(&waiting, &job(Stage::Over, 0)).unwrap();
    assert_eq!(kind(illegal.compare().map(drop)), ErrorKind::IllegalTransition);
    assert_eq!(notes.get("a").await.unwrap().version.n, 2);
}

#[tokio::test]
async fn a_handle_that_compares_does_so_whatever_the_option() {
    let store = unlocked();
    let notes = store.comparing().kind::<Note>();
    let stale = notes.create("a", &note("one")).await.unwrap();
    let fresh = notes.replace(&stale, note("two")).await.unwrap();
    assert_eq!(kind(notes.replace(&stale, note("three")).await), ErrorKind::Conflict);
    assert_eq!(kind(notes.delete(&stale).await), ErrorKind::Conflict);
    store.comparing().check_version(&fresh, Some(stale.version)).expect("it is the caller's");
    assert_eq!(store.kind::<Note>().replace(&stale, note("four")).await.unwrap().version.n, 3);
}

#[tokio::test]
async fn a_given_version_is_compared_unless_the_locking_is_off() {
    for (store, locking) in [(store(), true), (unlocked(), false)] {
        let notes = store.kind::<Note>();
        let first = notes.create("a", &note("one")).await.unwrap();
        let second = notes.replace(&first, note("two")).await.unwrap();
        store.check_version(&second, None).unwrap();
        store.check_version(&second, Some(second.version)).unwrap();
        let checked = store.check_version(&second, Some(first.version));
        assert_eq!(checked.is_err(), locking);
        if let Err(error) = checked {
            let mismatch = error.mismatch().unwrap();
            assert_eq!(mismatch.expected, Some(first.version));
            assert_eq!(mismatch.actual, Some(second.version));
        }
    }
}
