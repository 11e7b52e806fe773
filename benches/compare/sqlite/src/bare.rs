//! The bare store: batches made by hand, without the typed layer.

use std::time::{Duration, Instant};

use outlast::{Attributes, Batch, Cause, Expect, Json, Key, Op, Outcome, Put, Store};

use crate::measure::{Measured, Watch};
use crate::ours::{fill, open};
use crate::work::{Agent, Job, id};

pub fn transitions(job: &Job, backend: &str) -> Measured {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = open(job, backend).await;
        fill(&store, job.entities).await;
        store.sync().await.expect("a sync");
        let watch = Watch::start();
        let callers: Vec<_> = (0..job.callers)
            .map(|caller| tokio::spawn(call(store.clone(), job.clone(), caller)))
            .collect();
        let mut times = Vec::with_capacity(job.ops);
        for caller in callers {
            times.extend(caller.await.expect("a caller"));
        }
        store.sync().await.expect("a sync");
        watch.stop("transition", times)
    })
}

async fn call(store: Store, job: Job, caller: usize) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(caller as u64);
    let mut times = Vec::with_capacity(job.share());
    for _ in 0..job.share() {
        let key = Key::new("agent_row", id(random.usize(0..job.entities))).expect("a key");
        let start = Instant::now();
        while !transition(&store, &key).await {}
        times.push(start.elapsed());
    }
    times
}

async fn transition(store: &Store, key: &Key) -> bool {
    let slot = store.get(std::slice::from_ref(key)).await.expect("a read").pop().expect("a slot");
    let record = slot.live().expect("whole").expect("there");
    let mut agent: Agent = record.state.decode().expect("an agent");
    agent.advance();
    let put = Put {
        key: key.clone(),
        expect: Expect::At(record.version),
        schema: 1,
        attrs: Attributes::new(),
        state: Json::encode(&agent).expect("JSON"),
    };
    let batch = Batch::new(store.ids().commit_id(), Cause::default()).with(Op::Put(put));
    matches!(store.commit(batch).await.expect("an outcome"), Outcome::Applied(_))
}
