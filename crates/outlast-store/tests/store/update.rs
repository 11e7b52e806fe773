//! Closures: they queue within a process and are applied again when another one was faster.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use outlast_core::{Error, ErrorKind};
use outlast_memory::Memory;
use outlast_store::{Retry, Store, StoreOptions};

use crate::kinds::{Counter, Door, Lock, Note, door, note};
use crate::shaky::interfere;
use crate::{kind, memory, store};

async fn count_up(stores: &[Store], writers: usize, times: usize) -> u64 {
    let made = stores[0].kind::<Counter>().create("c", &Counter { n: 0 }).await.unwrap();
    assert_eq!(made.version.n, 1);
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let counters = stores[writer % stores.len()].kind::<Counter>();
            tokio::spawn(async move {
                for _ in 0..times {
                    let add = |counter: &mut Counter| {
                        counter.n += 1;
                        Ok(())
                    };
                    counters.update("c", add).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let read = stores[0].kind::<Counter>().get("c").await.unwrap();
    assert_eq!(read.n, (writers * times) as u64);
    read.version.n
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closures_on_one_entity_queue_without_a_conflict() {
    assert_eq!(count_up(&[store()], 16, 100).await, 1601);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_over_one_backend_lose_no_update() {
    let memory = memory();
    let retry = Retry {
        max_tries: 1000,
        base_delay: Duration::from_micros(10),
        max_delay: Duration::from_millis(1),
    };
    let open = || Store::open(memory.clone(), StoreOptions { retry, ..StoreOptions::default() });
    assert_eq!(count_up(&[open(), open()], 8, 50).await, 401);
}

/// Updates a note whose closure is overtaken by another writer in its first runs, and says how
/// often it ran.
async fn overtaken(memory: &Arc<Memory>, runs: u32, max_tries: u32) -> (u32, Result<u64, Error>) {
    let retry = Retry { max_tries, ..Retry::default() };
    let store = Store::open(memory.clone(), StoreOptions { retry, ..StoreOptions::default() });
    let notes = store.kind::<Note>();
    let key = notes.create("a", &note("one")).await.unwrap().key.clone();
    let (ran, memory) = (AtomicU32::new(0), memory.clone());
    let result = notes.update("a", |value| {
        if ran.fetch_add(1, Ordering::Relaxed) < runs {
            interfere(&memory, &key, r#"{"text":"theirs"}"#);
        }
        value.text.push_str(" and mine");
        Ok(())
    });
    let result = result.await.map(|stored| stored.version.n);
    (ran.load(Ordering::Relaxed), result)
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_was_overtaken_is_applied_to_what_is_there_now() {
    let memory = memory();
    let (ran, version) = overtaken(&memory, 2, 5).await;
    assert_eq!((ran, version.unwrap()), (3, 4));
    let notes = Store::open(memory, StoreOptions::default()).kind::<Note>();
    assert_eq!(notes.get("a").await.unwrap().text, "theirs and mine");
}

#[tokio::test(start_paused = true)]
async fn tries_end() {
    let (ran, result) = overtaken(&memory(), u32::MAX, 3).await;
    let error = result.unwrap_err();
    assert_eq!((ran, error.kind()), (3, ErrorKind::RetriesExhausted));
    assert!(error.to_string().contains("3 tries"), "{error}");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.downcast_ref::<Error>().unwrap().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn an_error_of_the_closure_passes_through_and_nothing_is_written() {
    let notes = store().kind::<Note>();
    notes.create("a", &note("one")).await.unwrap();
    let mut ran = 0;
    let result = notes.update("a", |value| {
        ran += 1;
        value.text.clear();
        Err(Error::invalid("not today"))
    });
    assert_eq!(result.await.unwrap_err().to_string(), "not today");
    assert_eq!(ran, 1);
    let read = notes.get("a").await.unwrap();
    assert_eq!((read.version.n, read.text.as_str()), (1, "one"));
}

#[tokio::test]
async fn a_closure_cannot_move_the_status_where_it_may_not_go() {
    let doors = store().kind::<Door>();
    let made = doors.create("front", &door(Lock::Open)).await.unwrap();
    let brick = |door: &mut Door| {
        door.lock = Lock::Bricked;
        Ok(())
    };
    assert_eq!(kind(doors.update("front", brick).await), ErrorKind::IllegalTransition);
    let bricked = door(Lock::Bricked);
    let later = doors.replace_later(&made, bricked.clone()).await;
    assert_eq!(kind(later), ErrorKind::IllegalTransition);
    assert_eq!(kind(doors.replace(&made, bricked).await), ErrorKind::IllegalTransition);
    assert_eq!(doors.get("front").await.unwrap().version.n, 1);
    let paint = |door: &mut Door| {
        door.color = "blue".to_owned();
        Ok(())
    };
    assert_eq!(doors.update("front", paint).await.unwrap().version.n, 2);
}
