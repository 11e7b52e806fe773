//! Beginning and ending to drive a store that moves.

use outlast_core::Result;
use outlast_orchestrator::recovery::{self, RecoveryReport, StartOptions};
use outlast_orchestrator::statistics::{self, Statistics};
use outlast_orchestrator::{Instance, migration::Options};
use outlast_store::{Checkpointed, Store};

use super::Migration;
use crate::Location;

/// A store that moves and that this process drives.
#[derive(Clone, Debug)]
pub struct Running {
    migration: Migration,
    instance: Instance,
    recovered: Option<RecoveryReport>,
}

/// Opens a store that moves, takes the right to drive it, and settles what the last process left
/// unfinished, unless [`Options::enable_recovery`] says not to. Memory is filled in any case.
///
/// Errors are those of [`open`](super::open) and of [`recovery::start`].
pub async fn start(
    database: Option<&Location>,
    options: Options,
    recovery: &StartOptions,
) -> Result<Running> {
    let enable_recovery = options.enable_recovery && recovery.enable_recovery;
    let migration = super::open(database, options).await?;
    let recovery = StartOptions { enable_recovery, ..recovery.clone() };
    match recovery::start(migration.store(), &recovery).await {
        Ok(started) => {
            let recovered = enable_recovery.then_some(started.report);
            Ok(Running { migration, instance: started.instance, recovered })
        }
        Err(error) => {
            let _ = migration.close().await;
            Err(error)
        }
    }
}

impl Running {
    /// The store and its moves.
    pub fn migration(&self) -> &Migration {
        &self.migration
    }

    /// The store everything is read from and written to.
    pub fn store(&self) -> &Store {
        self.migration.store()
    }

    /// The right to drive it.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// What recovery did at start; `None` if it was switched off.
    pub fn recovery_context(&self) -> Option<&RecoveryReport> {
        self.recovered.as_ref()
    }

    /// Counts what the store holds. Its [divergence](Statistics::divergence) is how many entities
    /// and streams the database has yet to be told of.
    ///
    /// Errors are those of reading. Cancel safe.
    pub async fn persistence_stats(&self) -> Result<Statistics> {
        let status = self.migration.status().await?;
        let divergence = status.database.is_some().then_some(status.behind);
        Ok(Statistics { divergence, ..statistics::gather(self.store()).await? })
    }

    /// Saves every swarm that is not over, gives up the right and the ledger, and closes both
    /// stores.
    ///
    /// Errors are those of [`recovery::stop`], after everything was closed, and of closing.
    pub async fn stop(&self) -> Result<Checkpointed> {
        let stopped = recovery::stop(&self.instance).await;
        let closed = self.migration.close().await;
        let stopped = stopped?;
        closed.map(|()| stopped)
    }
}
