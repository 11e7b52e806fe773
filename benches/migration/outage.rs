//! M3: what is remembered of many writes while the database is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use outlast_benches::Job;
use outlast_orchestrator::migration::{Migration, Phase};

use crate::database::Engine;
use crate::report::{Row, count};
use crate::world::{World, fill, to, turn};

const KEYS: u64 = 1000;
const CALLERS: usize = 50;

/// How long to wait until nothing is behind.
const PATIENCE: Duration = Duration::from_mins(2);

#[allow(clippy::cast_precision_loss)]
pub(crate) async fn measure(writes: usize) {
    for phase in [Phase::Mirror, Phase::Shadow] {
        let world = World::new(Engine::Sqlite);
        let migration = world.open(false).await;
        fill(migration.store(), KEYS).await;
        to(&migration, phase).await;
        world.database.take_away(true);
        let most = watch(&migration);
        let refused = write(&migration, writes).await;
        let most = most.end().await;
        world.database.take_away(false);
        let start = Instant::now();
        while behind(&migration).await > 0 && start.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let left = behind(&migration).await;
        let what = format!("{phase}: keys behind after {writes} writes of {KEYS} keys");
        Row::at_most("M3", &what, most as f64, KEYS as f64)
            .note(format!("{refused} writes refused"))
            .print();
        Row::at_most(
            "M3",
            &format!("{phase}: keys behind, the database being back"),
            left as f64,
            0.0,
        )
        .note(format!("after {:.1} s", start.elapsed().as_secs_f64()))
        .print();
        let compared = migration.diff(&crate::world::job(), false).await.unwrap();
        let differ = count(usize::from(!compared.clean));
        Row::at_most("M3", &format!("{phase}: comparisons that are not clean then"), differ, 0.0)
            .note(format!("{} versions compared", compared.versions))
            .print();
        migration.close().await.unwrap();
    }
}

async fn behind(migration: &Migration) -> u64 {
    migration.status().await.unwrap().behind
}

/// Writes from many callers; how many of them were refused.
async fn write(migration: &Migration, writes: usize) -> usize {
    let callers = (0..CALLERS).map(|caller| {
        let jobs = migration.store().kind::<Job>();
        tokio::spawn(async move {
            let mut refused = 0;
            for n in 0..writes / CALLERS {
                let id = (caller + n * CALLERS) % usize::try_from(KEYS).unwrap();
                refused += usize::from(jobs.update(&id.to_string(), turn).await.is_err());
            }
            refused
        })
    });
    let mut refused = 0;
    for caller in callers.collect::<Vec<_>>() {
        refused += caller.await.unwrap();
    }
    refused
}

/// Looks again and again how much is behind.
struct Most {
    is_over: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<u64>,
}

fn watch(migration: &Migration) -> Most {
    let is_over = Arc::new(AtomicBool::new(false));
    let (over, migration) = (is_over.clone(), migration.clone());
    let task = tokio::spawn(async move {
        let mut most = 0;
        while !over.load(Ordering::Relaxed) {
            most = most.max(behind(&migration).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        most.max(behind(&migration).await)
    });
    Most { is_over, task }
}

impl Most {
    async fn end(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}
