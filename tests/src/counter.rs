//! One number that many writers add to at once. If an update is lost, or made twice, the number
//! says so, and its version too.

use outlast_core::{Entity, NoStatus, Result};
use outlast_store::{Retry, Store};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::task::JoinSet;

/// How many writers add at once in one process.
pub const WRITERS: u64 = 16;
/// How often each of them does.
pub const TIMES: u64 = 100;
/// The id of the counter.
pub const ID: &str = "all";

/// How processes that meet at one entity try again. In one process closures queue and nothing is
/// tried again; between processes somebody loses each race, so that the usual five tries end too
/// soon.
pub const BETWEEN_PROCESSES: Retry = Retry {
    max_tries: 1000,
    base_delay: Duration::from_micros(200),
    max_delay: Duration::from_millis(20),
};

/// The number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// How often it was added to.
    pub n: u64,
}

impl Entity for Counter {
    type Status = NoStatus;
    const KIND: &'static str = "counter";
}

/// Adds one.
pub async fn add(store: &Store) -> Result<()> {
    let add = |counter: &mut Counter| {
        counter.n += 1;
        Ok(())
    };
    store.kind::<Counter>().update(ID, add).await.map(drop)
}

/// Lets all writers of one process add, and waits for them.
pub async fn add_all(store: &Store) -> Result<()> {
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            for _ in 0..TIMES {
                add(&store).await?;
            }
            Ok(())
        });
    }
    writers.join_all().await.into_iter().collect()
}
