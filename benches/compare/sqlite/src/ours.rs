//! Outlast, by the calls a user makes.

use std::time::{Duration, Instant};

use outlast::{Collection, Store};

use crate::measure::{Measured, Watch, resident_bytes};
use crate::work::{Agent, Job, id};

pub async fn open(job: &Job, backend: &str) -> Store {
    let location = match backend {
        "memory" => "memory:".to_owned(),
        scheme => format!("{scheme}:{}", job.dir.join("ours").display()),
    };
    outlast::open(&location).await.expect("a store")
}

pub async fn fill(store: &Store, entities: usize) {
    let all: Vec<usize> = (0..entities).collect();
    for some in all.chunks(500) {
        let mut draft = store.draft();
        for n in some {
            draft.create(&id(*n), &Agent::new(*n)).expect("an entity");
        }
        draft.commit().await.expect("a commit");
    }
}

pub fn transitions(job: &Job, backend: &str) -> Measured {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = open(job, backend).await;
        fill(&store, job.entities).await;
        store.sync().await.expect("a sync");
        let watch = Watch::start();
        let callers: Vec<_> = (0..job.callers)
            .map(|caller| tokio::spawn(call(store.kind(), job.clone(), caller)))
            .collect();
        let mut times = Vec::with_capacity(job.ops);
        for caller in callers {
            times.extend(caller.await.expect("a caller"));
        }
        // Whatever was put off is done before the clock stops.
        store.sync().await.expect("a sync");
        let mut measured = watch.stop("transition", times);
        if backend == "memory" {
            measured.durability = "volatile";
        }
        store.close().await.expect("an end");
        measured
    })
}

async fn call(agents: Collection<Agent>, job: Job, caller: usize) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(caller as u64);
    let mut times = Vec::with_capacity(job.share());
    for _ in 0..job.share() {
        let id = id(random.usize(0..job.entities));
        let start = Instant::now();
        let advance = |agent: &mut Agent| {
            agent.advance();
            Ok(())
        };
        agents.update(&id, advance).await.expect("a transition");
        times.push(start.elapsed());
    }
    times
}

/// What the entities weigh in a store in memory.
pub fn memory(job: &Job) -> Measured {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = open(job, "memory").await;
        let before = resident_bytes();
        fill(&store, job.entities).await;
        let bytes = resident_bytes().saturating_sub(before);
        let measured = Measured::of("memory", job.entities, 1.0);
        Measured { bytes: Some(bytes), durability: "volatile", ..measured }
    })
}
