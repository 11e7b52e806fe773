//! Beginning and ending to drive a store.

use outlast_core::{
    AttrName, AttrValue, Checkpoint, Filter, Record, Result, Slot, Status, Swarm, SwarmStatus, Test,
};
use outlast_store::Store;

use super::options::RecoveryOptions;
use super::recover::carry_out;
use super::report::{Problem, RecoveryReport};
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
/// assert_eq!(stopped.checkpoints, 0);
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

/// What was saved at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// How many swarms have a checkpoint of the present.
    pub checkpoints: u64,
    /// Those that could not be given one.
    pub errors: Vec<Problem>,
}

/// Makes a checkpoint of every swarm that is not over, waits for it, and gives the right up.
///
/// A checkpoint that cannot be made is reported, and the right is given up all the same. `Fenced`
/// if it was lost before. Cancel safety: may be dropped and repeated.
pub async fn stop(instance: &Instance) -> Result<Stopped> {
    let store = instance.store();
    let mut stopped = Stopped::default();
    let open = SwarmStatus::ALL.iter().filter(|status| !status.is_settled());
    let open = open.map(|status| AttrValue::from(status.as_str())).collect();
    let filter = Filter { name: AttrName::status(), test: Test::AnyOf(open) };
    let mut query = store.kind::<Swarm>().query()?.filter(filter);
    loop {
        let page = store.list(&query).await?;
        for slot in page.items {
            save(instance, slot, &mut stopped).await;
        }
        let Some(next) = page.next else { break };
        query.page = query.page.after(next);
    }
    instance.release().await?;
    Ok(stopped)
}

async fn save(instance: &Instance, slot: Slot, stopped: &mut Stopped) {
    let (id, saved) = match slot.live() {
        Ok(None) => return,
        Ok(Some(record)) => (record.key.id().to_owned(), checkpoint(instance, record).await),
        Err(error) => (String::new(), Err(error)),
    };
    match saved {
        Ok(()) => stopped.checkpoints += 1,
        Err(error) => {
            let (kind, reason) = ("swarm".to_owned(), error.to_string());
            stopped.errors.push(Problem { kind, id, reason });
        }
    }
}

async fn checkpoint(instance: &Instance, record: Record) -> Result<()> {
    let store = instance.store();
    let checkpoint = Checkpoint::of(record, Checkpoint::STOP, store.clock().now());
    let mut draft = instance.draft(store.cause().clone().because("the orchestrator stops"));
    draft.create(&store.ids().uuid().to_string(), &checkpoint)?;
    instance.commit(&draft).await.map(drop)
}
