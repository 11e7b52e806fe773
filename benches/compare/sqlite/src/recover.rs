//! Reading everything back at start, decoded, into a map.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Instant;

use outlast::Page;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::measure::Measured;
use crate::ours;
use crate::work::{Agent, Job};
use crate::yardstick;

pub fn ours(job: &Job) -> Measured {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = ours::open(job, "sqlite").await;
        ours::fill(&store, job.entities).await;
        store.close().await.expect("an end");
        let start = Instant::now();
        let store = ours::open(job, "sqlite").await;
        let agents = store.kind::<Agent>();
        let mut query = agents.query().expect("a query");
        query.page = Page::first(5000);
        let mut map: HashMap<String, Agent> = HashMap::new();
        loop {
            let page = agents.list(&query).await.expect("a page");
            for agent in page.items {
                let agent = agent.expect("an agent");
                map.insert(agent.id().to_owned(), agent.into_value());
            }
            let Some(next) = page.next else { break };
            query.page = query.page.after(next);
        }
        finish(job, start, &map)
    })
}

pub fn scan(job: &Job) -> Measured {
    let connection = yardstick::open(job, "scan.db");
    yardstick::fill(&connection, job.entities);
    let start = Instant::now();
    let mut select = connection.prepare("SELECT id, state FROM agent_states").expect("a statement");
    let mut rows = select.query([]).expect("the rows");
    let mut map: HashMap<String, Agent> = HashMap::new();
    while let Some(row) = rows.next().expect("a row") {
        let state = row.get_ref(1).expect("a column").as_str().expect("text");
        map.insert(row.get(0).expect("an id"), serde_json::from_str(state).expect("JSON"));
    }
    finish(job, start, &map)
}

pub fn stream(job: &Job) -> Measured {
    let connection = yardstick::open(job, "stream.db");
    yardstick::fill(&connection, job.entities);
    drop(connection);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(job.dir.join("stream.db"));
        let pool = SqlitePoolOptions::new().connect_with(options).await.expect("a pool");
        let start = Instant::now();
        let mut map: HashMap<String, Agent> = HashMap::new();
        let mut rows = pin!(sqlx::query("SELECT id, state FROM agent_states").fetch(&pool));
        while let Some(row) = next(&mut rows).await {
            let row = row.expect("a row");
            let state: &str = row.get(1);
            map.insert(row.get(0), serde_json::from_str(state).expect("JSON"));
        }
        finish(job, start, &map)
    })
}

async fn next<S>(stream: &mut std::pin::Pin<&mut S>) -> Option<S::Item>
where
    S: futures_core::Stream,
{
    std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await
}

fn finish(job: &Job, start: Instant, map: &HashMap<String, Agent>) -> Measured {
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(map.len(), job.entities);
    Measured::of("recover", map.len(), seconds)
}
