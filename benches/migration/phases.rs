//! M5: what each phase costs beside memory alone.

use std::time::{Duration, Instant};

use outlast::Store;
use outlast_benches::Job;
use outlast_orchestrator::migration::Phase;

use crate::database::Engine;
use crate::report::{Row, count, micros, within};
use crate::world::{World, fill, to, turn};

const KEYS: u64 = 1000;
const CALLERS: u64 = 64;

pub(crate) async fn measure(phase_ms: u64) {
    let time = Duration::from_millis(phase_ms);
    let plain = outlast::open("memory:").await.unwrap();
    fill(&plain, KEYS).await;
    tell("memory only", &plain, time).await;
    plain.close().await.unwrap();
    for engine in Engine::ALL {
        let world = World::new(engine);
        let migration = world.open(false).await;
        fill(migration.store(), KEYS).await;
        for phase in [Phase::Memory, Phase::Mirror, Phase::Shadow, Phase::Joint, Phase::Live] {
            to(&migration, phase).await;
            let name = format!("{}, {phase}", engine.as_str());
            tell(&name, migration.store(), time).await;
        }
        migration.close().await.unwrap();
    }
}

async fn tell(name: &str, store: &Store, time: Duration) {
    let (mut times, took) = call(store, time).await;
    let (p50, p99) = (micros(within(&mut times, 0.5)), micros(within(&mut times, 0.99)));
    let per_second = count(times.len()) / took.as_secs_f64();
    Row::told("M5", &format!("{name}: transitions/s, {CALLERS} callers"), per_second)
        .note(format!("p50 {p50:.0} us, p99 {p99:.0} us"))
        .print();
}

/// Many callers, each of entities of its own, for so long.
async fn call(store: &Store, time: Duration) -> (Vec<Duration>, Duration) {
    let start = Instant::now();
    let callers = (0..CALLERS).map(|caller| {
        let jobs = store.kind::<Job>();
        tokio::spawn(async move {
            let mut times = Vec::new();
            let mut id = caller;
            while start.elapsed() < time {
                let begun = Instant::now();
                jobs.update(&id.to_string(), turn).await.unwrap();
                times.push(begun.elapsed());
                id = if id + CALLERS < KEYS { id + CALLERS } else { caller };
            }
            times
        })
    });
    let mut times = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        times.extend(caller.await.unwrap());
    }
    (times, start.elapsed())
}
