//! What one writes first: sqlx, WAL and FULL, one transaction per transition.

use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row, SqlitePool};

use crate::measure::{Measured, Watch};
use crate::work::{Agent, Job, id};

pub const SCHEMA: &str = "
    CREATE TABLE agent_states (id TEXT PRIMARY KEY, status TEXT NOT NULL, version INTEGER NOT NULL,
        state TEXT NOT NULL, updated_at INTEGER NOT NULL);
    CREATE INDEX agent_status ON agent_states (status);
    CREATE TABLE state_audit_log (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp INTEGER NOT NULL,
        entity_id TEXT NOT NULL, action TEXT NOT NULL, previous_state TEXT, new_state TEXT,
        triggered_by TEXT NOT NULL);
    CREATE INDEX audit_entity ON state_audit_log (entity_id);";

pub fn transitions(job: &Job) -> Measured {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(job.dir.join("naive.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(60));
        let pool =
            SqlitePoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(120));
        let pool = pool.connect_with(options).await.expect("a pool");
        sqlx::raw_sql(SCHEMA).execute(&pool).await.expect("the schema");
        fill(&pool, job.entities).await;
        let watch = Watch::start();
        let callers: Vec<_> = (0..job.callers)
            .map(|caller| tokio::spawn(call(pool.clone(), job.clone(), caller)))
            .collect();
        let mut times = Vec::with_capacity(job.ops);
        for caller in callers {
            times.extend(caller.await.expect("a caller"));
        }
        watch.stop("transition", times)
    })
}

async fn fill(pool: &SqlitePool, entities: usize) {
    let mut transaction = pool.begin().await.expect("a transaction");
    for n in 0..entities {
        let state = serde_json::to_string(&Agent::new(n)).expect("JSON");
        sqlx::query("INSERT INTO agent_states VALUES (?, 'running', 1, ?, 0)")
            .bind(id(n))
            .bind(state)
            .execute(&mut *transaction)
            .await
            .expect("a row");
    }
    transaction.commit().await.expect("a commit");
}

async fn call(pool: SqlitePool, job: Job, caller: usize) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(caller as u64);
    let mut times = Vec::with_capacity(job.share());
    for _ in 0..job.share() {
        let id = id(random.usize(0..job.entities));
        let start = Instant::now();
        while !transition(&pool, &id).await {}
        times.push(start.elapsed());
    }
    times
}

/// `false` if somebody else was faster.
async fn transition(pool: &SqlitePool, id: &str) -> bool {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.expect("a transaction");
    let row = sqlx::query("SELECT version, state FROM agent_states WHERE id = ?")
        .bind(id)
        .fetch_one(&mut *transaction)
        .await
        .expect("the row");
    let (version, before): (i64, String) = (row.get(0), row.get(1));
    let mut agent: Agent = serde_json::from_str(&before).expect("JSON");
    agent.advance();
    let after = serde_json::to_string(&agent).expect("JSON");
    let changed = sqlx::query(
        "UPDATE agent_states SET status = ?, version = version + 1, state = ?, updated_at = 1
         WHERE id = ? AND version = ?",
    )
    .bind(&agent.status)
    .bind(&after)
    .bind(id)
    .bind(version)
    .execute(&mut *transaction)
    .await
    .expect("the update");
    if changed.rows_affected() != 1 {
        return false;
    }
    sqlx::query(
        "INSERT INTO state_audit_log (timestamp, entity_id, action, previous_state, new_state,
         triggered_by) VALUES (1, ?, 'update', ?, ?, 'user:ann')",
    )
    .bind(id)
    .bind(&before)
    .bind(&after)
    .execute(&mut *transaction)
    .await
    .expect("the audit row");
    transaction.commit().await.expect("a commit");
    true
}
