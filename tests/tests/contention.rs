//! Many writers, one entity: no update is lost, none is made twice, and each is in the audit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use outlast::{
    Action, AuditEntry, AuditQuery, Error, ErrorKind, Kind, OpenOptions, Page, Scope, Store,
    StoreOptions,
};
use outlast_tests::counter::{self, Counter, ID, TIMES, WRITERS};
use tempfile::TempDir;

const BACKENDS: [&str; 3] = ["memory", "sqlite", "sled"];

fn location(backend: &str, dir: &Path) -> String {
    match backend {
        "memory" => "memory:".to_owned(),
        scheme => format!("{scheme}:{}", dir.join("state").display()),
    }
}

async fn open(location: &str, options: StoreOptions) -> Store {
    outlast::open_with(location, OpenOptions::default(), options).await.unwrap()
}

/// Every audited update of the counter, the oldest first.
async fn updates(store: &Store) -> Vec<AuditEntry> {
    let mut query = AuditQuery {
        action: Some(Action::update()),
        newest_first: false,
        page: Page::first(AuditQuery::MOST),
        ..AuditQuery::of(Scope::All(Some(Kind::new("counter").unwrap())))
    };
    let mut entries = Vec::new();
    loop {
        let page = store.audit(&query).await.unwrap();
        entries.extend(page.items.into_iter().map(Result::unwrap));
        let Some(next) = page.next else { return entries };
        query.page = query.page.after(next);
    }
}

/// Checks the number, its version, and that the audit tells each addition once, in order.
async fn check(store: &Store, added: u64) {
    let last = store.kind::<Counter>().get(ID).await.unwrap();
    assert_eq!((last.n, last.version.n), (added, added + 1));
    let entries = updates(store).await;
    assert_eq!(entries.len() as u64, added);
    for (entry, n) in entries.iter().zip(1..) {
        assert_eq!(entry.version.n, n + 1);
        let [before, after] = [&entry.before, &entry.after]
            .map(|state| state.content().unwrap().decode::<Counter>().unwrap().n);
        assert_eq!((before, after), (n - 1, n));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_one_process_lose_no_update_with_the_default_settings() {
    for backend in BACKENDS {
        let dir = TempDir::new().unwrap();
        let store = open(&location(backend, dir.path()), StoreOptions::default()).await;
        store.kind().create(ID, &Counter { n: 0 }).await.unwrap();
        counter::add_all(&store).await.unwrap();
        check(&store, WRITERS * TIMES).await;
        assert_eq!(store.kind::<Counter>().get(ID).await.unwrap().version.n, 1601, "{backend}");
        store.close().await.unwrap();
    }
}

const PROCESSES: u64 = 4;

/// Four processes of sixteen writers each, with [`counter::BETWEEN_PROCESSES`] as retry settings.
#[test]
fn writers_of_four_processes_lose_no_update() {
    let dir = TempDir::new().unwrap();
    let location = location("sqlite", dir.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(async {
        let store = open(&location, StoreOptions::default()).await;
        store.kind().create(ID, &Counter { n: 0 }).await.unwrap();
        store
    });
    let mut processes: Vec<Process> = (0..PROCESSES).map(|_| Process::start(&location)).collect();
    // All have it open before the first begins.
    processes.iter_mut().for_each(Process::wait_until_ready);
    processes.iter_mut().for_each(Process::go);
    processes.into_iter().for_each(Process::finish);
    runtime.block_on(async {
        check(&store, PROCESSES * WRITERS * TIMES).await;
        assert_eq!(store.kind::<Counter>().get(ID).await.unwrap().version.n, 6401);
        assert_eq!(store.verify().await.unwrap().damaged, 0);
        store.close().await.unwrap();
    });
}

/// A process that adds to the counter; killed if the test ends before it.
struct Process(Child);

impl Process {
    fn start(location: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_counter"));
        command.arg(location).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn wait_until_ready(&mut self) {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
    }

    fn go(&mut self) {
        self.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }

    fn finish(mut self) {
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, unless the test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One process adds while another goes back to zero: each sees what the other did, and there is a
/// checkpoint of just what each rollback replaced.
#[test]
fn rollbacks_of_one_process_and_updates_of_another_lose_neither() {
    const ROLLBACKS: u64 = 25;
    let dir = TempDir::new().unwrap();
    let location = location("sqlite", dir.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = StoreOptions { retry: counter::BETWEEN_PROCESSES, ..StoreOptions::default() };
    let store = runtime.block_on(async {
        let store = open(&location, options).await;
        store.kind().create(ID, &Counter { n: 0 }).await.unwrap();
        store
    });
    let mut adding = Process::start(&location);
    adding.wait_until_ready();
    adding.go();
    runtime.block_on(async {
        for _ in 0..ROLLBACKS {
            store.kind::<Counter>().rollback_to(ID, 1).await.unwrap();
        }
    });
    adding.finish();
    runtime.block_on(async {
        let counters = store.kind::<Counter>();
        let last = counters.get(ID).await.unwrap();
        assert_eq!(last.version.n, 1 + WRITERS * TIMES + ROLLBACKS);
        let page = Page::first(2000);
        let mut past = counters.history(ID, page).await.unwrap().items;
        past.reverse();
        let past: Vec<_> = past.into_iter().map(Result::unwrap).collect();
        let number = |version: u64| {
            let found = past.iter().find(|past| past.version.version.n == version).unwrap();
            found.value.as_ref().unwrap().n
        };
        for found in past.iter().skip(1) {
            let version = found.version.version.n;
            let back = found.version.action == Action::rollback();
            let expected = if back { 0 } else { number(version - 1) + 1 };
            assert_eq!(number(version), expected, "version {version}");
        }
        let saved = counters.checkpoints(ID, &Page::first(1000)).await.unwrap().items;
        assert_eq!(saved.len() as u64, ROLLBACKS, "one for each, and none without");
        for checkpoint in saved {
            let checkpoint = checkpoint.unwrap().into_value();
            let saved: Counter = checkpoint.data.decode().unwrap();
            assert_eq!(saved.n, number(checkpoint.version.n));
        }
        store.close().await.unwrap();
    });
}

/// Another process is always faster: it commits between the reading and the writing of each try.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tries_are_exhausted_when_each_of_them_meets_a_conflict() {
    let dir = TempDir::new().unwrap();
    let location = location("sqlite", dir.path());
    let ours = open(&location, StoreOptions::default()).await;
    let theirs = open(&location, StoreOptions::default()).await;
    let counters = ours.kind::<Counter>();
    counters.create(ID, &Counter { n: 0 }).await.unwrap();
    let mut ran = 0;
    let result = counters
        .update(ID, |counter| {
            ran += 1;
            let runtime = tokio::runtime::Handle::current();
            tokio::task::block_in_place(|| runtime.block_on(counter::add(&theirs)))?;
            counter.n += 100;
            Ok(())
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RetriesExhausted);
    assert!(error.to_string().contains("each of 5 tries"), "{error}");
    let conflict = std::error::Error::source(&error).unwrap();
    let mismatch = conflict.downcast_ref::<Error>().unwrap().mismatch().unwrap();
    assert_eq!(mismatch.expected.map(|version| version.n), Some(5));
    assert_eq!(mismatch.actual.map(|version| version.n), Some(6));
    assert_eq!(ran, 5);
    let last = counters.get(ID).await.unwrap();
    assert_eq!((last.n, last.version.n), (5, 6), "only theirs");
    theirs.close().await.unwrap();
    ours.close().await.unwrap();
}

/// A version that a caller gave is refused at once, however many tries there are.
#[tokio::test]
async fn a_given_version_that_is_stale_is_refused_at_once() {
    for backend in BACKENDS {
        let dir = TempDir::new().unwrap();
        let store = open(&location(backend, dir.path()), StoreOptions::default()).await;
        let counters = store.kind::<Counter>();
        let first = counters.create(ID, &Counter { n: 0 }).await.unwrap();
        let second = counters.replace(&first, Counter { n: 1 }).await.unwrap();
        let error = counters.replace(&first, Counter { n: 9 }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{backend}");
        let mismatch = error.mismatch().unwrap();
        assert_eq!(mismatch.expected, Some(first.version));
        assert_eq!(mismatch.actual, Some(second.version));
        assert_eq!(counters.get(ID).await.unwrap().n, 1);
        store.close().await.unwrap();
    }
}
