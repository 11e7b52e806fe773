//! What the benches share: a store of each backend, and what is kept in it.
//!
//! Every bench goes through the calls a user makes. What it prints holds for the machine and the
//! disk it ran on; only ratios travel. A store on disk waits for the disk on each commit, so a
//! bench of one caller measures mostly that.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

use outlast::{Entity, Store, status_machine};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::runtime::Runtime;

status_machine! {
    /// A status that can change for ever.
    pub enum JobStatus {
        /// Waiting.
        Ready = "ready" => [Busy],
        /// At work.
        Busy = "busy" => [Ready],
    }
}

/// An entity of about 1 KiB.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Where it is in its life.
    pub status: JobStatus,
    /// What makes it as large as it is.
    pub payload: String,
}

impl Job {
    /// A job in this state.
    pub fn new(status: JobStatus) -> Self {
        Self { status, payload: "0123456789abcdef".repeat(62) }
    }
}

impl Entity for Job {
    type Status = JobStatus;
    const KIND: &'static str = "job";

    fn status(&self) -> Option<JobStatus> {
        Some(self.status)
    }

    fn set_status(&mut self, status: JobStatus) {
        self.status = status;
    }
}

/// The backends, as their locations begin.
pub const BACKENDS: [&str; 3] = ["memory", "sqlite", "sled"];

/// A new store in a folder of its own, and the runtime it lives on.
#[derive(Debug)]
pub struct Bed {
    /// The store.
    pub store: Store,
    /// Where its tasks run. Declared before the folder, so that they end first.
    pub runtime: Runtime,
    _folder: TempDir,
}

impl Bed {
    /// A store of this backend. It is made where the variable `OUTLAST_BENCH_DIR` says, or else in
    /// the system's folder for temporary files, which may be memory and then shows no waiting.
    pub fn new(backend: &str) -> Self {
        let folder = match std::env::var_os("OUTLAST_BENCH_DIR") {
            Some(within) => TempDir::new_in(within).unwrap(),
            None => TempDir::new().unwrap(),
        };
        let location = match backend {
            "memory" => "memory:".to_owned(),
            on_disk => format!("{on_disk}:{}", folder.path().join("store").display()),
        };
        let runtime = Runtime::new().unwrap();
        let store = runtime.block_on(outlast::open(&location)).unwrap();
        Self { store, runtime, _folder: folder }
    }

    /// Creates jobs under the ids from 0, every hundredth of them at work.
    pub fn fill(&self, count: usize) {
        let ids: Vec<usize> = (0..count).collect();
        for some in ids.chunks(100) {
            let mut draft = self.store.draft();
            for id in some {
                let status = if id % 100 == 0 { JobStatus::Busy } else { JobStatus::Ready };
                draft.create(&id.to_string(), &Job::new(status)).unwrap();
            }
            self.runtime.block_on(draft.commit()).unwrap();
        }
    }
}
