//! The sign to stop, from outside, for whatever runs by itself: a run of tasks, a command, a loop.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells what runs by itself to end. Clones share one sign, which can only become more urgent.
///
/// ```
/// use outlast_orchestrator::Shutdown;
///
/// let shutdown = Shutdown::default();
/// let of_signal_handler = shutdown.clone();
/// of_signal_handler.begin();
/// assert!(shutdown.has_begun());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<watch::Sender<Urgency>>);

/// How soon it is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// When it is done.
    #[default]
    None,
    /// Now, and what runs may end by itself within its grace.
    Orderly,
    /// Now, and what runs is killed.
    Immediate,
}

impl Shutdown {
    /// Begins nothing more, and asks what runs to end.
    pub fn begin(&self) {
        self.raise(Urgency::Orderly);
    }

    /// Kills what still runs.
    pub fn kill(&self) {
        self.raise(Urgency::Immediate);
    }

    /// Whether it was told to end.
    pub fn has_begun(&self) -> bool {
        self.urgency() > Urgency::None
    }

    /// Resolves once it was told to end. Cancel safe.
    pub async fn begun(&self) {
        self.beyond(Urgency::None).await;
    }

    /// How urgent it is.
    pub fn urgency(&self) -> Urgency {
        *self.0.borrow()
    }

    /// Resolves when it is more urgent than `known`. Cancel safe.
    pub async fn beyond(&self, known: Urgency) -> Urgency {
        let mut sign = self.0.subscribe();
        let raised = sign.wait_for(|urgency| *urgency > known).await.map(|urgency| *urgency);
        match raised {
            Ok(urgency) => urgency,
            // The sender is held here, so this cannot be.
            Err(_) => std::future::pending().await,
        }
    }

    fn raise(&self, to: Urgency) {
        self.0.send_if_modified(|urgency| {
            let raised = to > *urgency;
            *urgency = to.max(*urgency);
            raised
        });
    }
}
