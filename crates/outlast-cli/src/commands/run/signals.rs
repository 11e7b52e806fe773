//! The signals that end a run.

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
    /// From now on an interrupt or termination signal begins the shutdown, and the next one makes
    /// it immediate.
    pub(super) fn listen() -> Result<Self> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        let (interrupt, terminate) = (on(interrupt)?, on(terminate)?);
        let shutdown = Shutdown::default();
        let listener = tokio::spawn(pass_on(interrupt, terminate, shutdown.clone()));
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

async fn pass_on(mut interrupt: Signal, mut terminate: Signal, shutdown: Shutdown) {
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if shutdown.has_begun() {
            note("killing the tasks that run");
            shutdown.kill();
        } else {
            note("asking the tasks that run to end; once more kills them");
            shutdown.begin();
        }
    }
}

fn on(kind: SignalKind) -> Result<Signal> {
    signal(kind)
        .map_err(|cause| Error::unavailable("signals cannot be listened for").with_source(cause))
}
