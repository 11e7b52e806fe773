//! Creating, reading, replacing, moving, deleting and listing single entities.

use futures_util::TryStreamExt;
use outlast_core::{AttrName, AttrValue, Attributes, ErrorKind, Filter, Page};

use crate::kinds::{Counter, Door, Job, Lock, Note, Stage, door, job, note};
use crate::{kind, store};

#[tokio::test]
async fn what_was_created_is_read_back_and_cannot_be_created_again() {
    let notes = store().kind::<Note>();
    let made = notes.create("a", &note("one")).await.unwrap();
    assert_eq!((made.version.n, made.id()), (1, "a"));
    let read = notes.get("a").await.unwrap();
    assert_eq!((read.version, read.updated_at), (made.version, made.updated_at));
    assert_eq!(read.into_value(), note("one"));
    let error = notes.create("a", &note("two")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Exists, "note/a already exists")
    );
    assert_eq!(notes.get("a").await.unwrap().text, "one");
}

#[tokio::test]
async fn what_does_not_live_is_not_found() {
    let notes = store().kind::<Note>();
    let error = notes.get("a").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::NotFound, "note/a does not exist")
    );
    assert!(notes.find("a").await.unwrap().is_none());
    assert_eq!(kind(notes.update("a", |_| Ok(())).await), ErrorKind::NotFound);
    assert_eq!(kind(notes.rollback_to("a", 1).await), ErrorKind::NotFound);
    assert_eq!(kind(notes.touch("a", Attributes::new()).await), ErrorKind::NotFound);
    assert_eq!(kind(notes.get("").await), ErrorKind::Invalid);
    assert_eq!(kind(notes.get(&"x".repeat(513)).await), ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_stale_version_is_refused_with_both_versions_and_never_tried_again() {
    let notes = store().kind::<Note>();
    let stale = notes.create("a", &note("one")).await.unwrap();
    let fresh = notes.replace(&stale, note("two")).await.unwrap();
    let error = notes.replace(&stale, note("three")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let mismatch = error.mismatch().unwrap();
    assert_eq!(mismatch.key, stale.key);
    assert_eq!((mismatch.expected, mismatch.actual), (Some(stale.version), Some(fresh.version)));
    assert_eq!(kind(notes.delete(&stale).await), ErrorKind::Conflict);
    let read = notes.get("a").await.unwrap();
    assert_eq!((read.version.n, read.text.as_str()), (2, "two"));
}

#[tokio::test]
async fn a_deleted_entity_goes_on_counting_when_it_is_created_again() {
    let notes = store().kind::<Note>();
    let made = notes.create("a", &note("one")).await.unwrap();
    notes.delete(&made).await.unwrap();
    assert_eq!(kind(notes.get("a").await), ErrorKind::NotFound);
    let error = notes.replace(&made, note("two")).await.unwrap_err();
    assert_eq!(error.mismatch().unwrap().actual, None);
    let again = notes.create("a", &note("three")).await.unwrap();
    assert_eq!(again.version.n, 3);
}

#[tokio::test]
async fn a_legal_move_is_made_and_an_illegal_one_names_both_states() {
    let doors = store().kind::<Door>();
    doors.create("front", &door(Lock::Open)).await.unwrap();
    let shut = doors.transition("front", Lock::Shut).await.unwrap();
    assert_eq!((shut.version.n, shut.lock), (2, Lock::Shut));
    doors.transition("front", Lock::Bricked).await.unwrap();
    let error = doors.transition("front", Lock::Open).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalTransition);
    let message = error.to_string();
    assert!(message.contains("open") && message.contains("bricked"), "{message}");
    assert!(message.contains("door/front"), "{message}");
    assert_eq!(doors.get("front").await.unwrap().version.n, 3);
}

#[tokio::test]
async fn a_reserved_move_is_no_plain_transition() {
    let store = store();
    let jobs = store.kind::<Job>();
    let over = jobs.create("a", &job(Stage::Over, 0)).await.unwrap();
    let error = jobs.transition("a", Stage::Waiting).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalTransition);
    let message = error.to_string();
    assert!(message.contains("job/a cannot become waiting from over"), "{message}");
    assert!(message.contains("reserved"), "{message}");
    assert_eq!(kind(jobs.transition("a", Stage::Working).await), ErrorKind::IllegalTransition);
    // Who writes the whole entity means it.
    let again = jobs.replace(&over, job(Stage::Waiting, 1)).await.unwrap();
    assert_eq!((again.version.n, again.stage), (2, Stage::Waiting));
    jobs.create("b", &job(Stage::Over, 0)).await.unwrap();
    let begin = |job: &mut Job| {
        job.stage = Stage::Waiting;
        Ok(())
    };
    assert_eq!(jobs.update("b", begin).await.unwrap().version.n, 2);
    let over = jobs.create("c", &job(Stage::Over, 0)).await.unwrap();
    let mut draft = store.draft();
    draft.replace(&over, &job(Stage::Waiting, 1)).unwrap();
    draft.commit().await.unwrap();
}

#[tokio::test]
async fn staying_in_a_state_is_not_a_move() {
    let doors = store().kind::<Door>();
    doors.create("front", &door(Lock::Open)).await.unwrap();
    assert_eq!(kind(doors.transition("front", Lock::Open).await), ErrorKind::IllegalTransition);
}

#[tokio::test]
async fn the_status_can_be_filtered_by_and_counted() {
    let doors = store().kind::<Door>();
    for (id, lock) in [("a", Lock::Open), ("b", Lock::Shut), ("c", Lock::Open)] {
        doors.create(id, &door(lock)).await.unwrap();
    }
    let open = doors.query().unwrap().filter(Filter::is(AttrName::status(), "open"));
    let page = doors.list(&open).await.unwrap();
    let ids: Vec<_> = page.items.iter().map(|door| door.as_ref().unwrap().id()).collect();
    assert_eq!(ids, ["a", "c"]);
    let counts = doors.count(&doors.query().unwrap(), &[AttrName::status()]).await.unwrap();
    let group = |text: &str, n: u64| (vec![Some(AttrValue::from(text))], n);
    assert_eq!((counts.total, counts.groups), (3, vec![group("open", 2), group("shut", 1)]));
}

#[tokio::test]
async fn touching_makes_no_version() {
    let notes = store().kind::<Note>();
    notes.create("a", &note("one")).await.unwrap();
    let beat = Attributes::from([(AttrName::new("beat").unwrap(), AttrValue::Int(7))]);
    notes.touch("a", beat.clone()).await.unwrap();
    let read = notes.get("a").await.unwrap();
    assert_eq!((read.version.n, &read.transient), (1, &beat));
    let page = notes.history("a", Page::default()).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

#[tokio::test]
async fn a_stream_walks_every_page() {
    let store = store();
    for chunk in 0..5 {
        let mut draft = store.draft();
        for n in 0..500 {
            draft.create(&format!("{:04}", chunk * 500 + n), &Counter { n }).unwrap();
        }
        draft.commit().await.unwrap();
    }
    let counters = store.kind::<Counter>();
    let query = counters.query().unwrap();
    assert!(query.page.limit < 2500, "more than one page");
    let all: Vec<_> = counters.stream(query).try_collect().await.unwrap();
    assert_eq!(all.len(), 2500);
    assert!(all.windows(2).all(|pair| pair[0].id() < pair[1].id()));
}

#[tokio::test]
async fn a_page_that_can_never_be_filled_is_refused() {
    let notes = store().kind::<Note>();
    let none = outlast_core::Query { page: Page::first(0), ..notes.query().unwrap() };
    assert_eq!(kind(notes.list(&none).await), ErrorKind::Invalid);
    let all = outlast_core::Query { page: Page::first(u32::MAX), ..notes.query().unwrap() };
    assert_eq!(kind(notes.list(&all).await), ErrorKind::TooLarge);
    assert_eq!(kind(notes.stream(none).try_collect::<Vec<_>>().await), ErrorKind::Invalid);
}
