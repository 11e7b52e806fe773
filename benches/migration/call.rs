//! M4: the same typed call of a plain store in memory and of one that could move, in turns.

use std::time::{Duration, Instant};

use outlast::{Collection, Store};
use outlast_benches::Job;
use outlast_orchestrator::migration::Phase;

use crate::database::Engine;
use crate::report::{Row, nanos, within};
use crate::world::{World, fill, to, turn};

const KEYS: u64 = 1000;

/// Calls of one store before it is another one's turn.
const CALLS: u64 = 1000;

pub(crate) async fn measure(rounds: usize) {
    let plain = outlast::open("memory:").await.unwrap();
    let worlds = [World::new(Engine::Sqlite), World::new(Engine::Sqlite)];
    let [memory, mirror] = &worlds;
    let (memory, mirror) = (memory.open(false).await, mirror.open(false).await);
    for store in [&plain, memory.store(), mirror.store()] {
        fill(store, KEYS).await;
    }
    to(&mirror, Phase::Mirror).await;
    let stores = [plain.clone(), memory.store().clone(), mirror.store().clone()];
    // As a task of the runtime: waking the caller is then not part of the call.
    let times = tokio::spawn(take_turns(stores, rounds)).await.unwrap();
    let [plain_times, memory_times, mirror_times] = times;
    tell("memory phase", &plain_times, memory_times);
    tell("mirror", &plain_times, mirror_times);
    for store in [memory.store(), mirror.store(), &plain] {
        store.close().await.unwrap();
    }
}

async fn take_turns(stores: [Store; 3], rounds: usize) -> [Vec<Duration>; 3] {
    let kinds = stores.map(|store| store.kind::<Job>());
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (jobs, times) in kinds.iter().zip(&mut times) {
            call(jobs, times).await;
            if round == 0 {
                // That was for caches to fill.
                times.clear();
            }
        }
    }
    times
}

async fn call(jobs: &Collection<Job>, times: &mut Vec<Duration>) {
    for n in 0..CALLS {
        let id = (n * 7 % KEYS).to_string();
        let start = Instant::now();
        jobs.update(&id, turn).await.unwrap();
        times.push(start.elapsed());
    }
}

fn tell(what: &str, plain: &[Duration], mut times: Vec<Duration>) {
    let mut plain = plain.to_vec();
    let (usual, here) = (within(&mut plain, 0.5), within(&mut times, 0.5));
    let differ = nanos(here) - nanos(usual);
    Row::at_most("M4", &format!("{what}: p50 beyond a plain store in memory, ns"), differ, 75.0)
        .note(format!("{:.0} ns against {:.0} ns", nanos(here), nanos(usual)))
        .print();
    let (usual, here) = (within(&mut plain, 0.99), within(&mut times, 0.99));
    let ratio = nanos(here) / nanos(usual);
    Row::at_most("M4", &format!("{what}: p99 against a plain store in memory"), ratio, 1.3)
        .note(format!("{:.0} ns against {:.0} ns", nanos(here), nanos(usual)))
        .print();
}
