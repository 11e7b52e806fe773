//! What one change is, and when it is refused or made again.

use std::sync::atomic::{AtomicU32, Ordering};

use outlast::{
    ErrorKind, Event, EventCategory, EventLevel, Page, Revision, Session, SessionStatus, Store,
    StoreOptions, StreamQuery,
};
use outlast_core::Timestamp;

use crate::{BACKENDS, fresh};

fn session() -> Session {
    Session::new("tree", "main", Timestamp::from_micros(1))
}

fn told(message: &str) -> Event {
    Event::new(EventCategory::System, EventLevel::Info, message)
}

async fn events(store: &Store) -> usize {
    let query = StreamQuery::of(Event::log().unwrap());
    store.read(&query).await.unwrap().items.len()
}

/// I1. Entity, version, history row, feed and event: one commit.
#[tokio::test]
async fn i1_a_change_and_all_that_tells_of_it_are_one_commit() {
    for backend in BACKENDS {
        let (store, _dir) = fresh(backend, StoreOptions::default()).await;
        let sessions = store.kind::<Session>();
        let first = sessions.create("s", &session()).await.unwrap();

        let closed = Session { status: SessionStatus::Closed, ..session() };
        let mut draft = store.draft();
        draft.replace(&first, &closed).unwrap().report(&told("closed")).unwrap();
        let receipt = draft.commit().await.unwrap();
        let changes = store.changes(Revision(receipt.revision.0 - 1), 10).await.unwrap().items;
        let [change] = changes.as_slice() else { panic!("{backend}: {changes:?}") };
        let version = change.versions[0].as_ref().unwrap();
        assert_eq!((change.revision, version.version.n), (receipt.revision, 2), "{backend}");
        assert_eq!(change.appended[0].0, Event::log().unwrap(), "{backend}");
        let past = sessions.history("s", Page::default()).await.unwrap().items;
        assert_eq!(past[0].as_ref().unwrap().version.revision, receipt.revision, "{backend}");

        // The same from what is not there any more: nothing of it happens.
        let mut stale = store.draft();
        stale.replace(&first, &closed).unwrap().report(&told("closed again")).unwrap();
        assert_eq!(stale.commit().await.unwrap_err().kind(), ErrorKind::Conflict, "{backend}");
        assert_eq!(events(&store).await, 1, "{backend}");
        assert_eq!(sessions.get("s").await.unwrap().version.n, 2, "{backend}");
        let rest = store.changes(receipt.revision, 10).await.unwrap().items;
        assert!(rest.is_empty(), "{backend}: {rest:?}");
        store.close().await.unwrap();
    }
}

/// I2. Another version is a conflict that names both; nothing there is `NotFound`.
#[tokio::test]
async fn i2_a_write_applies_to_the_version_it_was_made_from_or_not_at_all() {
    for backend in BACKENDS {
        let (store, _dir) = fresh(backend, StoreOptions::default()).await;
        let sessions = store.kind::<Session>();
        let first = sessions.create("s", &session()).await.unwrap();
        let more = Session { entry_count: 1, ..session() };
        sessions.replace(&first, more.clone()).await.unwrap();
        let error = sessions.replace(&first, more).await.unwrap_err();
        let mismatch = error.mismatch().expect("a conflict says what it met");
        let versions = (mismatch.expected.map(|v| v.n), mismatch.actual.map(|v| v.n));
        assert_eq!((error.kind(), versions), (ErrorKind::Conflict, (Some(1), Some(2))));
        let missing = sessions.update("nobody", |_| Ok(())).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound, "{backend}");
        let twice = sessions.create("s", &session()).await.unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::Exists, "{backend}");
        store.close().await.unwrap();
    }
}

/// I3. What is decided from what is there is decided anew; an expected version never is.
#[tokio::test]
async fn i3_an_attempt_is_made_again_from_what_is_there_now() {
    for backend in BACKENDS {
        let (store, _dir) = fresh(backend, StoreOptions::default()).await;
        let sessions = store.kind::<Session>();
        sessions.create("s", &session()).await.unwrap();
        let attempts = AtomicU32::new(0);
        let add_one = || async {
            let read = sessions.get("s").await?;
            if attempts.fetch_add(1, Ordering::SeqCst) == 0 {
                // Somebody is faster, just once.
                let faster = Session { entry_count: 10, ..(*read).clone() };
                sessions.replace(&read, faster).await?;
            }
            let mut draft = store.draft();
            draft.replace(
                &read,
                &Session { entry_count: read.entry_count + 1, ..(*read).clone() },
            )?;
            Ok((draft, ()))
        };
        store.commit_with(&[sessions.key("s").unwrap()], add_one).await.unwrap();
        assert_eq!(attempts.load(Ordering::SeqCst), 2, "{backend}");
        let after = sessions.get("s").await.unwrap();
        assert_eq!((after.entry_count, after.version.n), (11, 3), "{backend}");
        store.close().await.unwrap();
    }
}

/// I8. Places in a stream are given in the commit, so they have no gaps; ids order by time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_places_have_no_gaps_and_ids_grow() {
    for backend in BACKENDS {
        let (store, _dir) = fresh(backend, StoreOptions::default()).await;
        let writers = (0..16).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..10 {
                    let mut draft = store.draft();
                    draft.report(&told(&format!("{writer}-{n}"))).unwrap();
                    draft.commit().await.unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let query =
            StreamQuery { page: Page::first(1000), ..StreamQuery::of(Event::log().unwrap()) };
        let entries = store.read(&query).await.unwrap().items;
        let places: Vec<u64> = entries.into_iter().map(|entry| entry.unwrap().seq.0).collect();
        assert_eq!(places, (1..=160).collect::<Vec<_>>(), "{backend}");
        let ids: Vec<_> = (0..1000).map(|_| store.ids().uuid()).collect();
        assert!(ids.is_sorted() && ids.iter().all(|id| id.get_version_num() == 7), "{backend}");
        store.close().await.unwrap();
    }
}

/// I10. What was enqueued and could not be applied is told.
#[tokio::test]
async fn i10_no_failure_is_swallowed() {
    for backend in BACKENDS {
        let (store, _dir) = fresh(backend, StoreOptions::default()).await;
        let sessions = store.kind::<Session>();
        let first = sessions.create("s", &session()).await.unwrap();
        let more = Session { entry_count: 1, ..session() };
        sessions.replace_later(&first, more.clone()).await.unwrap();
        sessions.replace_later(&first, more).await.unwrap();
        let told = store.sync().await.unwrap_err();
        assert!(told.to_string().contains("session/s"), "{backend}: {told}");
        store.sync().await.expect("told once");
        store.close().await.unwrap();
    }
}

/// I11. Nobody waits for somebody who waits for them, in whatever order keys are named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i11_attempts_over_the_same_entities_never_wait_in_a_circle() {
    let (store, _dir) = fresh("memory", StoreOptions::default()).await;
    let sessions = store.kind::<Session>();
    for id in ["a", "b", "c"] {
        sessions.create(id, &session()).await.unwrap();
    }
    let orders = [["a", "b"], ["b", "a"], ["b", "c"], ["c", "a"], ["a", "c"], ["c", "b"]];
    let movers = orders.into_iter().cycle().take(120).map(|ids| {
        let (store, sessions) = (store.clone(), sessions.clone());
        tokio::spawn(async move {
            let keys = ids.map(|id| sessions.key(id).unwrap());
            let both = || async {
                let mut draft = store.draft();
                for id in ids {
                    let read = sessions.get(id).await?;
                    let more = Session { entry_count: read.entry_count + 1, ..(*read).clone() };
                    draft.replace(&read, &more)?;
                }
                Ok((draft, ()))
            };
            store.commit_with(&keys, both).await.unwrap();
        })
    });
    for mover in movers.collect::<Vec<_>>() {
        mover.await.unwrap();
    }
    for id in ["a", "b", "c"] {
        assert_eq!(sessions.get(id).await.unwrap().entry_count, 80, "{id}");
    }
}
