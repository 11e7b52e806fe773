//! Beginning and ending to drive a store.

use outlast_core::{
    AttrName, AttrValue, Checkpoint, Filter, Result, Status, Swarm, SwarmStatus, Test,
};
use outlast_store::{Checkpointed, Store};

use super::options::RecoveryOptions;
use super::recover::carry_out;
use super::report::RecoveryReport;
use crate::Instance;

/// How to begin.
#[derive(Clone, Debug)]
pub struct StartOptions {
    /// Whether to take the right also from a process that cannot be seen from here.
    pub take_over: bool,
    /// Whether to recover at all.
    pub enable_recovery: bool,
    /// How.
    pub recovery: RecoveryOptions,
}

impl Default for StartOptions {
    fn default() -> Self {
        Self { take_over: false, enable_recovery: true, recovery: RecoveryOptions::default() }
    }
}

/// The right to drive a store, and what was done about what the last holder left.
#[derive(Clone, Debug)]
pub struct Started {
    /// The right.
    pub instance: Instance,
    /// What recovery did; empty if it was not to.
    pub report: RecoveryReport,
}

/// Takes the right to drive a store and recovers it.
///
/// A recovery that fails does not keep it from starting: why is among the report's errors, with
/// what was done until then.
///
/// Errors are those of [`Instance::acquire`]. Cancel safety: the right may be taken already, and
/// starting again in this process is then `Fenced`.
///
/// ```
/// # use std::sync::Arc;
/// # use outlast_core::RandomIds;
/// # use outlast_store::{Store, StoreOptions};
/// use outlast_orchestrator::recovery::{StartOptions, start, stop};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> outlast_core::Result<()> {
/// # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
/// # let store = Store::open(backend, StoreOptions::default());
/// let started = start(&store, &StartOptions::default()).await?;
/// assert!(started.report.is_clean());
/// // ... run the engines with started.instance ...
/// let stopped = stop(&started.instance).await?;
/// assert_eq!((stopped.saved, stopped.failed), (0, 0));
/// # Ok(())
/// # }
/// ```
pub async fn start(store: &Store, options: &StartOptions) -> Result<Started> {
    let instance = Instance::acquire(store, options.take_over).await?;
    let mut report = RecoveryReport::default();
    if options.enable_recovery
        && let Err(error) = carry_out(&instance, &options.recovery, &mut report).await
    {
        tracing::warn!(%error, "recovery was broken off");
        report.fail("recovery", "", &error);
    }
    Ok(Started { instance, report })
}

/// Makes a checkpoint of every swarm that is not over, waits for it, and gives the right up, also
/// if some could not be made.
///
/// Errors are those of [`Store::checkpoint_all`], after the right was given up, and `Fenced` if it
/// was lost before. Cancel safety: may be dropped and repeated.
pub async fn stop(instance: &Instance) -> Result<Checkpointed> {
    let store = instance.store();
    let swarms = store.kind::<Swarm>();
    let open = SwarmStatus::ALL.iter().filter(|status| !status.is_settled());
    let open = open.map(|status| AttrValue::from(status.as_str())).collect();
    let filter = Filter { name: AttrName::status(), test: Test::AnyOf(open) };
    let saved = swarms.checkpoint_all(&swarms.query()?.filter(filter), Checkpoint::STOP).await;
    instance.release().await?;
    saved
}
