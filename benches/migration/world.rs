//! A store that moves, in a folder of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use outlast::memory::Memory;
use outlast::{Kind, RandomIds, Store};
use outlast_benches::{Job, JobStatus};
use outlast_orchestrator::migration::{Flags, Migration, Near, Options, Pace, Phase, Thresholds};
use tempfile::TempDir;

use crate::database::{Database, Engine};

/// A folder with a database and a state directory.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) database: Arc<Database>,
}

impl World {
    /// It lies where the variable `OUTLAST_BENCH_DIR` says, or else in the system's folder for
    /// temporary files, which may be memory and then shows no waiting.
    pub(crate) fn new(engine: Engine) -> Self {
        let folder = match std::env::var_os("OUTLAST_BENCH_DIR") {
            Some(within) => TempDir::new_in(within).unwrap(),
            None => TempDir::new().unwrap(),
        };
        let database = Arc::new(Database::at(engine, folder.path().join("state.db")));
        Self { folder, database }
    }

    fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Opens it. No kind is wished to be in the database unless `is_wished`.
    pub(crate) async fn open(&self, is_wished: bool) -> Migration {
        let options = Options {
            flags: Flags::all(is_wished),
            standby: true,
            state_dir: self.state_dir(),
            pace: Pace { probe: Duration::from_millis(20), ..Pace::default() },
            thresholds: Thresholds {
                shadow_reads: 0,
                bake: Duration::ZERO,
                behind: 0,
                ..Thresholds::default()
            },
            ..Options::default()
        };
        let near: Near = Arc::new(|epoch| Arc::new(Memory::after(&RandomIds, epoch)));
        Migration::open(near, Some(self.database.clone()), options).await.unwrap()
    }
}

pub(crate) fn job() -> Kind {
    Kind::new("job").unwrap()
}

/// Creates jobs under the ids from 0.
pub(crate) async fn fill(store: &Store, count: u64) {
    let ids: Vec<u64> = (0..count).collect();
    for some in ids.chunks(100) {
        let mut draft = store.draft();
        for id in some {
            draft.create(&id.to_string(), &Job::new(JobStatus::Ready)).unwrap();
        }
        draft.commit().await.unwrap();
    }
}

/// What every caller does: read an entity, check the move, write it, be told.
#[allow(clippy::unnecessary_wraps)] // What an update asks for.
pub(crate) fn turn(job: &mut Job) -> outlast::Result<()> {
    job.status = match job.status {
        JobStatus::Ready => JobStatus::Busy,
        JobStatus::Busy => JobStatus::Ready,
    };
    Ok(())
}

/// Goes to a phase, however long the way, and tries again what the load got in the way of.
pub(crate) async fn to(migration: &Migration, phase: Phase) -> usize {
    let mut again = 0;
    while migration.phase(&job()) != phase {
        let moved = if migration.phase(&job()) < phase {
            migration.advance(&job(), phase, true, |_| {}).await
        } else {
            migration.rollback(&job(), phase, true).await
        };
        if let Err(error) = moved {
            again += 1;
            assert!(again < 1000, "{phase} cannot be reached: {error}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    again
}
