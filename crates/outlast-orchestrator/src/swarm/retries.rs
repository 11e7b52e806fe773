//! Agents that are tried again when their time has come.

use std::time::Duration;

use outlast_core::{Agent, Cause, Error, ErrorKind, Receipt, Result, Timestamp};
use outlast_store::{Draft, Stored};
use tokio::time::sleep;

use super::Orchestra;
use super::round::Round;
#[cfg(feature = "process")]
use crate::Instance;
use crate::{Shutdown, telemetry};

/// How often a commit is repeated whose answer was lost.
const COMMIT_TRIES: u32 = 3;
/// How often is looked for what nobody tells of.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Hands over the agents whose time has come to be tried again. How an agent is brought up is the
/// user's own affair.
///
/// An agent is moved from retrying to spawning, in a commit of its own, before it is handed over.
/// So it is handed over once, however many look for it; and if the process ends before it is
/// brought up, it is found spawning by recovery. An agent of a swarm that waits, waits too; one
/// whose swarm is over, or gone, is given up.
///
/// ```
/// # use std::sync::Arc;
/// # use outlast_core::RandomIds;
/// # use outlast_orchestrator::swarm::{NewAgent, Orchestra};
/// # use outlast_store::{Store, StoreOptions};
/// use outlast_orchestrator::Shutdown;
/// use tokio::sync::mpsc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> outlast_core::Result<()> {
/// # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
/// # let store = Store::open(backend, StoreOptions::default());
/// # let orchestra = Orchestra::new(&store);
/// let (retries, shutdown) = (orchestra.retries(), Shutdown::default());
/// let (bring_up, mut due) = mpsc::channel(16);
/// let stop = shutdown.clone();
/// let looking = tokio::spawn(async move {
///     let start = |agent| {
///         let bring_up = bring_up.clone();
///         async move { bring_up.send(agent).await.unwrap_or_default() }
///     };
///     retries.run(&stop, start).await
/// });
///
/// let agent = orchestra.agents().create(NewAgent::new("work").with_model("small")).await?;
/// agent.give_up("broken").await?;
/// agent.retry().await?;
/// assert_eq!(due.recv().await.map(|due| due.id().to_owned()).as_deref(), Some(agent.id()));
///
/// shutdown.begin();
/// looking.await.expect("it does not panic")
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Retries {
    orchestra: Orchestra,
    look_again: Duration,
    #[cfg(feature = "process")]
    instance: Option<Instance>,
}

/// What was due.
#[derive(Debug, Default)]
pub struct Due {
    /// The agents to be brought up now, those first that waited longest. At most 128 of them.
    pub agents: Vec<Stored<Agent>>,
    /// When to ask again; `None` if none waits.
    pub next: Option<Timestamp>,
    /// How many are due, and wait for their swarm to be resumed.
    pub held: u64,
    /// How many were given up with their swarm.
    pub given_up: u64,
    /// What could not be read or moved, and is left as it is, at most 128 errors; with
    /// [`agents`](Due::agents), also what kept the call from going on.
    pub problems: Vec<Error>,
}

impl Retries {
    pub(super) fn new(orchestra: Orchestra) -> Self {
        Self {
            orchestra,
            look_again: LOOK_AGAIN,
            #[cfg(feature = "process")]
            instance: None,
        }
    }

    /// The same by right of driving the store: nothing is moved any more once that was lost.
    #[cfg(feature = "process")]
    pub fn under(self, instance: &Instance) -> Self {
        Self { instance: Some(instance.clone()), ..self }
    }

    /// The same, looking so often for what nobody tells of: other processes' agents, swarms that
    /// others resumed, and a wall clock that jumped. By default every five seconds.
    pub fn looking_every(self, pause: Duration) -> Self {
        Self { look_again: pause, ..self }
    }

    /// Moves every agent that is due to spawning, and says when to ask again.
    ///
    /// An agent that would wait longer than it can have been told to, since the wall clock was put
    /// back, waits its time from now on.
    ///
    /// Errors are those of the store, and `Fenced` once the right to drive it was lost. An error
    /// that comes after an agent was moved is among the [`problems`](Due::problems), so that the
    /// agent is handed over all the same.
    ///
    /// Not cancel safe: agents that were moved by a call whose future is dropped are found by
    /// recovery only.
    pub async fn due(&self) -> Result<Due> {
        let due = Round::new(self).look().await?;
        metrics::counter!(telemetry::AGENT_RETRIES).increment(due.agents.len() as u64);
        Ok(due)
    }

    /// Hands over agents as they come due, until it is told to stop. One after the other: `start`
    /// should bring an agent up in a task of its own.
    ///
    /// Errors are those of [`due`](Self::due) that waiting does not mend.
    ///
    /// Tell it to stop instead of dropping its future, which may leave agents spawning that were
    /// never handed over.
    pub async fn run<F: Future<Output = ()>>(
        &self,
        shutdown: &Shutdown,
        mut start: impl FnMut(Stored<Agent>) -> F,
    ) -> Result<()> {
        while !shutdown.has_begun() {
            let pause = match self.due().await {
                Ok(due) => {
                    for problem in &due.problems {
                        tracing::warn!(error = %problem, "an agent is not tried again");
                    }
                    for agent in due.agents {
                        tracing::debug!(agent = agent.id(), model = agent.model, "tried again");
                        start(agent).await;
                    }
                    let now = self.orchestra.now();
                    due.next.map_or(self.look_again, |next| next.since(now).min(self.look_again))
                }
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "agents that are due have to wait");
                    self.look_again
                }
                Err(error) => return Err(error),
            };
            tokio::select! {
                () = shutdown.begun() => {}
                () = self.orchestra.hurried() => {}
                () = sleep(pause) => {}
            }
        }
        Ok(())
    }

    pub(super) fn orchestra(&self) -> &Orchestra {
        &self.orchestra
    }

    pub(super) fn draft(&self, reason: &str) -> Draft {
        let cause = self.orchestra.cause();
        let reason = cause.reason.clone().unwrap_or_else(|| reason.to_owned());
        let cause = Cause { reason: Some(reason), ..cause.clone() };
        #[cfg(feature = "process")]
        if let Some(instance) = &self.instance {
            return instance.draft(cause);
        }
        let mut draft = self.orchestra.draft();
        draft.cause(cause);
        draft
    }

    /// Commits, and repeats what may have been applied: else an agent could be moved without being
    /// handed over.
    pub(super) async fn commit(&self, draft: &Draft) -> Result<Receipt> {
        #[cfg(feature = "process")]
        if let Some(instance) = &self.instance {
            return instance.commit(draft).await;
        }
        let mut tries = 1;
        loop {
            match draft.commit().await {
                Err(error) if tries < COMMIT_TRIES && error.kind() == ErrorKind::Indeterminate => {
                    tries += 1;
                }
                other => return other,
            }
        }
    }
}
