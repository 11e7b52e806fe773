//! Showing what goes on while it goes on.

use outlast::{Error, Result};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How many events may wait to be shown.
pub(super) const EVENTS: usize = 4096;

/// Shows each event until the driving is done, and what was left then.
pub(super) async fn follow<E, S>(
    mut driving: JoinHandle<Result<S>>,
    mut events: mpsc::Receiver<E>,
    mut show: impl FnMut(&E),
) -> Result<S> {
    let driven = loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => show(&event),
            driven = &mut driving => break driven,
        }
    };
    while let Ok(event) = events.try_recv() {
        show(&event);
    }
    driven.map_err(|cause| Error::internal("the run broke off").with_source(cause))?
}
