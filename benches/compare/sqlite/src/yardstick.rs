//! The yardstick: rusqlite by hand, one thread that writes, prepared statements, as many waiting
//! transitions per COMMIT as there are, 256 at most.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::measure::{Measured, Watch};
use crate::naive::SCHEMA;
use crate::work::{Agent, Job, id};

/// What the audit row holds.
#[derive(Clone, Copy)]
pub enum Audit {
    /// Who and what, but no state.
    Small,
    /// The state before and after too.
    Both,
}

struct Request {
    id: String,
    done: oneshot::Sender<bool>,
}

const GROUP: usize = 256;

pub fn transitions(job: &Job, audit: Audit) -> Measured {
    let connection = open(job, "yardstick.db");
    fill(&connection, job.entities);
    let (requests, received) = mpsc::channel::<Request>();
    let writer = std::thread::spawn(move || write(connection, &received, audit));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let watch = Watch::start();
    let times = runtime.block_on(async {
        let callers: Vec<_> = (0..job.callers)
            .map(|caller| tokio::spawn(call(requests.clone(), job.clone(), caller)))
            .collect();
        drop(requests);
        let mut times = Vec::with_capacity(job.ops);
        for caller in callers {
            times.extend(caller.await.expect("a caller"));
        }
        times
    });
    writer.join().expect("the writer");
    watch.stop("transition", times)
}

pub fn open(job: &Job, name: &str) -> Connection {
    let connection = Connection::open(job.dir.join(name)).expect("a database");
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        .expect("the pragmas");
    connection.execute_batch(SCHEMA).expect("the schema");
    connection
}

pub fn fill(connection: &Connection, entities: usize) {
    connection.execute_batch("BEGIN").expect("a transaction");
    {
        let mut insert = connection
            .prepare("INSERT INTO agent_states VALUES (?, 'running', 1, ?, 0)")
            .expect("a statement");
        for n in 0..entities {
            let state = serde_json::to_string(&Agent::new(n)).expect("JSON");
            insert.execute(params![id(n), state]).expect("a row");
        }
    }
    connection.execute_batch("COMMIT").expect("a commit");
}

async fn call(requests: mpsc::Sender<Request>, job: Job, caller: usize) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(caller as u64);
    let mut times = Vec::with_capacity(job.share());
    for _ in 0..job.share() {
        let id = id(random.usize(0..job.entities));
        let start = Instant::now();
        let (done, answer) = oneshot::channel();
        requests.send(Request { id, done }).expect("the writer");
        assert!(answer.await.expect("an answer"));
        times.push(start.elapsed());
    }
    times
}

fn write(connection: Connection, received: &mpsc::Receiver<Request>, audit: Audit) {
    let mut select = connection
        .prepare("SELECT version, state FROM agent_states WHERE id = ?")
        .expect("a statement");
    let mut update = connection
        .prepare(
            "UPDATE agent_states SET status = ?, version = version + 1, state = ?, updated_at = 1
             WHERE id = ? AND version = ?",
        )
        .expect("a statement");
    let mut insert = connection
        .prepare(
            "INSERT INTO state_audit_log (timestamp, entity_id, action, previous_state, new_state,
             triggered_by) VALUES (1, ?, 'update', ?, ?, 'user:ann')",
        )
        .expect("a statement");
    while let Ok(first) = received.recv() {
        let mut group = vec![first];
        group.extend(received.try_iter().take(GROUP - 1));
        connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        for request in &group {
            let (version, before): (i64, String) = select
                .query_row([&request.id], |row| Ok((row.get(0)?, row.get(1)?)))
                .expect("the row");
            let mut agent: Agent = serde_json::from_str(&before).expect("JSON");
            agent.advance();
            let after = serde_json::to_string(&agent).expect("JSON");
            let changed = update
                .execute(params![agent.status, after, request.id, version])
                .expect("the update");
            assert_eq!(changed, 1);
            match audit {
                Audit::Small => insert.execute(params![request.id, None::<&str>, None::<&str>]),
                Audit::Both => insert.execute(params![request.id, before, after]),
            }
            .expect("the audit row");
        }
        connection.execute_batch("COMMIT").expect("a commit");
        for request in group {
            let _ = request.done.send(true);
        }
    }
}
