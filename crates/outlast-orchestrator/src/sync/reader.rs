//! The task that reads the store's changes once for all subscriptions of a feed.

use std::sync::Arc;
use std::time::Duration;

use outlast_core::{Error, ErrorKind, Incarnation, Result, Revision};
use outlast_store::Pulse;
use tokio::time::sleep;

use super::feed::{Fate, Feed};
use super::{Reason, journal};
use crate::telemetry;

/// How often in a row reading may fail before those who follow are told.
const TRIES: u32 = 5;

/// The pause between two of these tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Reads on from a revision until nobody follows any more, the store is closed or reading fails.
pub(super) async fn run(feed: Feed, mut pulse: Pulse, generation: u64, mut at: Revision) {
    let incarnation = feed.store().info().incarnation;
    let mut failures = 0;
    let fate = loop {
        match read_on(&feed, incarnation, generation, &mut at).await {
            Ok(()) => failures = 0,
            Err(Fate::Failed(error)) if error.is_retryable() && failures < TRIES => {
                failures += 1;
                tracing::warn!(%error, failures, "reading the feed failed; it is tried again");
                sleep(PAUSE).await;
                continue;
            }
            Err(fate) => break fate,
        }
        if let Err(error) = pulse.next().await {
            break Fate::Failed(error);
        }
    };
    feed.dismiss(generation, &fate);
}

/// Reads and tells everything there is now.
async fn read_on(
    feed: &Feed,
    incarnation: Incarnation,
    generation: u64,
    at: &mut Revision,
) -> Result<(), Fate> {
    loop {
        if feed.store().info().incarnation != incarnation {
            return Err(Fate::Out(Reason::Replaced));
        }
        let stretch = journal::stretch(feed.store(), incarnation, *at).await;
        let stretch = stretch.map_err(fate_of)?;
        for delta in stretch.deltas {
            *at = delta.revision;
            metrics::counter!(telemetry::SYNC_DELTAS).increment(1);
            feed.tell(generation, &Arc::new(delta));
        }
        if stretch.is_last {
            return Ok(());
        }
    }
}

fn fate_of(error: Error) -> Fate {
    if error.kind() == ErrorKind::Compacted {
        return Fate::Out(Reason::Compacted);
    }
    metrics::counter!(telemetry::SYNC_FAILURES).increment(1);
    Fate::Failed(error)
}
