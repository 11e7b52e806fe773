//! M1: round trips between joint, live and shadow while the store is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use outlast_benches::Job;
use outlast_orchestrator::migration::{Migration, Phase};
use tokio::sync::mpsc;

use crate::database::{Database, Engine};
use crate::report::{Row, count, micros, millis, within};
use crate::world::{World, fill, to, turn};

const KEYS: u64 = 1000;

/// One operation begins so often, whatever became of the ones before it.
const EVERY: Duration = Duration::from_millis(4);

/// How long the steady load is watched.
const STEADY: Duration = Duration::from_secs(10);

/// When no further trip is begun.
const MOST: Duration = Duration::from_mins(1);

/// What operations took, from the moment each was due.
#[derive(Debug, Default)]
struct Observed {
    times: Vec<Duration>,
    /// What of each was not the write of the database that carried it.
    beyond: Vec<Duration>,
    rejected: usize,
}

pub(crate) async fn measure(trips: usize) {
    let world = World::new(Engine::Sqlite);
    let migration = world.open(false).await;
    fill(migration.store(), KEYS).await;
    to(&migration, Phase::Joint).await;
    let load = Load::begin(&migration, &world.database);
    tokio::time::sleep(STEADY).await;
    let mut steady = load.end().await;
    let load = Load::begin(&migration, &world.database);
    let (made, again) = travel(&migration, trips).await;
    let mut moving = load.end().await;
    let note = if made == trips {
        format!("{made} trips; {again} moves asked for again, since load got into a comparison")
    } else {
        format!(
            "{made} of {trips} trips fit into {} s; {again} moves asked for again",
            MOST.as_secs()
        )
    };
    tell(&mut steady, &mut moving, &note);
    migration.close().await.unwrap();
}

async fn travel(migration: &Migration, trips: usize) -> (usize, usize) {
    let start = Instant::now();
    let (mut made, mut again) = (0, 0);
    while made < trips && start.elapsed() < MOST {
        for phase in [Phase::Live, Phase::Shadow, Phase::Joint] {
            again += to(migration, phase).await;
        }
        made += 1;
    }
    (made, again)
}

/// Operations that begin at fixed moments.
struct Load {
    is_over: Arc<AtomicBool>,
    observed: tokio::task::JoinHandle<Observed>,
}

impl Load {
    fn begin(migration: &Migration, database: &Arc<Database>) -> Self {
        let (sender, mut results) = mpsc::unbounded_channel();
        let rejected = Arc::new(AtomicUsize::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let (jobs, database) = (migration.store().kind::<Job>(), database.clone());
        let (refused, over) = (rejected.clone(), is_over.clone());
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(EVERY);
            let mut id = 0;
            while !over.load(Ordering::Relaxed) {
                let due = ticks.tick().await.into_std();
                id = (id + 7) % KEYS;
                let (jobs, database) = (jobs.clone(), database.clone());
                let (refused, sender) = (refused.clone(), sender.clone());
                tokio::spawn(async move {
                    if jobs.update(&id.to_string(), turn).await.is_err() {
                        refused.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                    let took = due.elapsed();
                    let _ = sender.send((took, took.saturating_sub(database.last_write())));
                });
            }
        });
        let observed = tokio::spawn(async move {
            let mut observed = Observed::default();
            while let Some((took, beyond)) = results.recv().await {
                observed.times.push(took);
                observed.beyond.push(beyond);
            }
            observed.rejected = rejected.load(Ordering::Relaxed);
            observed
        });
        Self { is_over, observed }
    }

    async fn end(self) -> Observed {
        self.is_over.store(true, Ordering::Relaxed);
        self.observed.await.unwrap()
    }
}

fn tell(steady: &mut Observed, moving: &mut Observed, note: &str) {
    let rejected = count(moving.rejected);
    let ops = moving.times.len() + moving.rejected;
    Row::at_most("M1", &format!("operations rejected, of {ops}"), rejected, 0.0).note(note).print();
    let longest = millis(within(&mut moving.beyond, 1.0));
    let usual = millis(within(&mut steady.beyond, 1.0));
    Row::at_most("M1", "longest operation beyond its own commit, ms", longest, 10.0)
        .note(format!("{usual:.1} ms in the steady load before"))
        .print();
    let (moved, rested) = (within(&mut moving.times, 0.999), within(&mut steady.times, 0.999));
    Row::at_most("M1", "p99.9 against the steady load", micros(moved) / micros(rested), 1.1)
        .note(format!("{:.1} ms against {:.1} ms", millis(moved), millis(rested)))
        .print();
    let (moved, rested) = (within(&mut moving.times, 0.5), within(&mut steady.times, 0.5));
    Row::told("M1", "p50 against the steady load", micros(moved) / micros(rested))
        .note(format!("{:.2} ms against {:.2} ms", millis(moved), millis(rested)))
        .print();
}
