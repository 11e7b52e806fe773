//! The last recovery, in a few figures.

use outlast_core::{Result, Timestamp};
use outlast_store::Store;
use serde::Serialize;

/// The last recovery of a store, in a few figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecoveryFigures {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// How many entities were changed by the last one that changed any.
    pub changed: u64,
    /// How much could not be done.
    pub error_count: u64,
    /// How much was found that cannot be read.
    pub quarantined: u64,
}

/// The last recovery; `None` if there was none.
#[cfg(feature = "recovery")]
pub(super) async fn last(store: &Store) -> Result<Option<RecoveryFigures>> {
    let found = crate::recovery::last(store).await?;
    Ok(found.map(|run| RecoveryFigures {
        at: run.at,
        duration_ms: run.duration_ms,
        changed: run.record.changed,
        error_count: run.record.error_count,
        quarantined: run.record.quarantined,
    }))
}

/// The last recovery; a program built without recovery knows of none.
#[cfg(not(feature = "recovery"))]
pub(super) fn last(_store: &Store) -> std::future::Ready<Result<Option<RecoveryFigures>>> {
    std::future::ready(Ok(None))
}
