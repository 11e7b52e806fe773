//! The signals that end a run.

use std::fs;
use std::future;

use outlast::tasks::Shutdown;
use outlast::{Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::output::note;

/// Listens for signals until it is dropped.
#[derive(Debug)]
pub(super) struct Signals {
    shutdown: Shutdown,
    listener: JoinHandle<()>,
}

impl Signals {
    /// From now on an interrupt, termination or hangup signal begins the shutdown, and the next
    /// one makes it immediate. A hangup that was to be ignored, as under nohup, still is.
    pub(super) fn listen() -> Result<Self> {
        let hangup = SignalKind::hangup();
        let heard = Heard {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hangup: if is_ignored(hangup) { None } else { Some(on(hangup)?) },
        };
        let shutdown = Shutdown::default();
        let listener = tokio::spawn(heard.pass_on(shutdown.clone()));
        Ok(Self { shutdown, listener })
    }

    /// What they bring about.
    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// The signals that are listened for.
struct Heard {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Heard {
    async fn pass_on(mut self, shutdown: Shutdown) {
        loop {
            self.next().await;
            if shutdown.has_begun() {
                note("killing the tasks that run");
                shutdown.kill();
            } else {
                note("asking the tasks that run to end; once more kills them");
                shutdown.begin();
            }
        }
    }

    async fn next(&mut self) {
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
