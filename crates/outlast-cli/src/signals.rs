//! The signals that ask the program to end.

use std::fs;
use std::future;

use outlast::{Error, Result, Store};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::context;
use crate::failure::{Failure, Outcome};

/// Interrupt, termination and hangup, from the moment on they are listened for.
///
/// From then on they end nothing by themselves, also when this is dropped.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    /// Begins to listen. A hangup that was to be ignored, as under nohup, still is.
    pub(crate) fn listen() -> Result<Self> {
        let hangup = SignalKind::hangup();
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hangup: if is_ignored(hangup) { None } else { Some(on(hangup)?) },
        })
    }

    /// Waits for the next one, of those since it was last called too. Cancel safe.
    pub(crate) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }

    /// Works until it is done, or drops the work at the next signal; `left` says what that means.
    pub(crate) async fn until<T>(
        &mut self,
        left: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.next() => Err(Failure::Interrupted(left.to_owned())),
            done = work => done,
        }
    }

    /// Closes the store whatever came of the command. After a signal the next one ends also this.
    pub(crate) async fn close(&mut self, store: Store, outcome: Outcome) -> Outcome {
        match outcome {
            Err(Failure::Interrupted(left)) => {
                let closing = context::close(store, Err(Failure::Interrupted(left.clone())));
                self.until(&left, closing).await
            }
            outcome => context::close(store, outcome).await,
        }
    }
}

fn on(kind: SignalKind) -> Result<Signal> {
    signal(kind)
        .map_err(|cause| Error::unavailable("signals cannot be listened for").with_source(cause))
}

/// Whether whoever started this program wants the signal ignored. Listening would undo that.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
