//! How signals end a run.

use outlast::Result;
use outlast::tasks::Shutdown;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::output::note;
use crate::signals::Signals;

/// Listens for signals until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    shutdown: Shutdown,
    listening: JoinHandle<()>,
}

impl Listener {
    /// From now on a signal begins the shutdown, and the next one makes it immediate.
    pub(super) fn start() -> Result<Self> {
        let shutdown = Shutdown::default();
        let listening = tokio::spawn(pass_on(Signals::listen()?, shutdown.clone()));
        Ok(Self { shutdown, listening })
    }

    /// What they bring about.
    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn pass_on(mut signals: Signals, shutdown: Shutdown) {
    loop {
        signals.next().await;
        let told = if shutdown.has_begun() {
            shutdown.kill();
            "killing what runs"
        } else {
            shutdown.begin();
            "asking what runs to end; once more kills it"
        };
        // A terminal that is held must not keep the next signal from being heard.
        spawn_blocking(|| note(told));
    }
}
