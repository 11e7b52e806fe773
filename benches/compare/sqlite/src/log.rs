//! Captured output: lines of about 100 bytes, 100 of them at a time, durable when answered.

use std::io::Write;
use std::time::{Duration, Instant};

use outlast::{Attributes, Key, NewEntry};
use rusqlite::Connection;

use crate::measure::{Measured, Watch};
use crate::ours::open;
use crate::work::Job;

const LINES: usize = 100;

fn line(n: usize) -> String {
    let word = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "2026-01-01T00:00:00Z INFO worker: step {n:08} of the build took {word:>20} ns, cache hit\n"
    )
}

fn chunk(n: usize) -> String {
    (n * LINES..(n + 1) * LINES).map(line).collect()
}

fn timed(job: &Job, mut write: impl FnMut(usize)) -> Measured {
    let chunks = job.ops / LINES;
    let watch = Watch::start();
    let times: Vec<Duration> = (0..chunks)
        .map(|n| {
            let start = Instant::now();
            write(n);
            start.elapsed()
        })
        .collect();
    let measured = watch.stop("log", times);
    let ops = chunks * LINES;
    Measured { ops, per_second: ops as f64 / measured.seconds, ..measured }
}

pub fn ours(job: &Job) -> Measured {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let store = runtime.block_on(open(job, "sqlite"));
    let stream = Key::new("log", "task").expect("a name");
    timed(job, |n| {
        let entry = NewEntry { at: None, attrs: Attributes::new(), data: chunk(n).into_bytes() };
        let mut draft = store.draft();
        draft.append(stream.clone(), vec![entry]);
        runtime.block_on(draft.commit()).expect("a commit");
    })
}

pub fn rows(job: &Job) -> Measured {
    let connection = Connection::open(job.dir.join("log.db")).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE log (id INTEGER PRIMARY KEY, task TEXT NOT NULL, line TEXT NOT NULL);
             CREATE INDEX log_task ON log (task);",
        )
        .expect("the schema");
    let values = vec!["('task', ?)"; LINES].join(", ");
    let mut insert = connection
        .prepare(&format!("INSERT INTO log (task, line) VALUES {values}"))
        .expect("a statement");
    timed(job, |n| {
        let lines = (n * LINES..(n + 1) * LINES).map(line);
        insert.execute(rusqlite::params_from_iter(lines)).expect("the rows");
    })
}

pub fn file(job: &Job) -> Measured {
    let mut file = std::fs::File::create(job.dir.join("log.txt")).expect("a file");
    timed(job, |n| {
        file.write_all(chunk(n).as_bytes()).expect("a write");
        file.sync_data().expect("a sync");
    })
}
