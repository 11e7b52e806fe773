//! Recovery as one call, and as a look at what it would do.

use outlast_core::Result;
use outlast_store::Store;
use tracing::Instrument;

use super::last;
use super::options::RecoveryOptions;
use super::report::RecoveryReport;
use super::scene::Scene;
use super::walk::Walk;
use crate::{Instance, telemetry};

/// Deals with everything that is not over, as the table of the options says: each entity in a
/// commit of its own, under the right to drive the store, after it was read anew.
///
/// What concerns one entity is in the report and keeps no other from being dealt with. Repeating
/// it right away changes nothing; repeating one that was cut off goes on where that one stopped.
///
/// `Fenced` once the right was lost, after which nothing was or will be written; otherwise the
/// errors of a store that cannot be read or written at all. Cancel safety: may be dropped at any
/// time and repeated.
///
/// ```
/// # use std::sync::Arc;
/// # use outlast_store::{Store, StoreOptions};
/// use outlast_core::{Agent, AgentStatus, RandomIds};
/// use outlast_orchestrator::Instance;
/// use outlast_orchestrator::recovery::{Outcome, RecoveryOptions, recover};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> outlast_core::Result<()> {
/// # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
/// # let store = Store::open(backend, StoreOptions::default());
/// let now = store.clock().now();
/// let agent = Agent { status: AgentStatus::Running, ..Agent::new("opus", "write", now) };
/// store.kind::<Agent>().create("a1", &agent).await?;
///
/// let instance = Instance::acquire(&store, false).await?;
/// let report = recover(&instance, &RecoveryOptions::default()).await?;
/// assert_eq!(report.count("agent", Outcome::MarkedFailed), 1);
///
/// let again = recover(&instance, &RecoveryOptions::default()).await?;
/// assert_eq!(again.changed, 0);
/// # Ok(())
/// # }
/// ```
pub async fn recover(instance: &Instance, options: &RecoveryOptions) -> Result<RecoveryReport> {
    let mut report = RecoveryReport::default();
    carry_out(instance, options, &mut report).await?;
    Ok(report)
}

/// What [`recover`] would do now. Writes nothing, stops no process, tells nobody, and needs no
/// right.
///
/// Errors are those of reading. Cancel safe.
pub async fn preview(store: &Store, options: &RecoveryOptions) -> Result<RecoveryReport> {
    let mut report = RecoveryReport::default();
    let scene = Scene { store, instance: None, options };
    timed(scene, &mut report).await?;
    Ok(report)
}

/// The same as [`recover`], with what was done before an error, if there is one.
pub(super) async fn carry_out(
    instance: &Instance,
    options: &RecoveryOptions,
    report: &mut RecoveryReport,
) -> Result<()> {
    let scene = Scene { store: instance.store(), instance: Some(instance), options };
    let span = tracing::info_span!("recovery");
    async {
        timed(scene, report).await?;
        last::keep(&scene, instance, report).await?;
        metrics::counter!(telemetry::RECOVERIES).increment(1);
        let RecoveryReport { changed, error_count, duration_ms, .. } = report;
        tracing::info!(changed, error_count, duration_ms, "recovered");
        Ok(())
    }
    .instrument(span)
    .await
}

async fn timed(scene: Scene<'_>, report: &mut RecoveryReport) -> Result<()> {
    let clock = scene.store.clock();
    let begun = clock.monotonic();
    report.started_at = clock.now();
    let walked = Walk::new(scene, report).everything().await;
    let took = clock.monotonic().saturating_sub(begun);
    report.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    walked
}
