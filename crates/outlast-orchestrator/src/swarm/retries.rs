//! Agents that are tried again when their time has come.

use std::time::Duration;

use outlast_core::{
    Agent, AgentStatus, AttrName, AttrValue, Cause, Error, ErrorKind, Filter, Order, Page, Query,
    Receipt, Result, Status, Swarm, SwarmStatus, Test, Timestamp,
};
use outlast_store::{Draft, Stored};
use std::ops::Bound;
use tokio::time::sleep;

use super::Orchestra;
use super::agent_handle::AgentStep;
use super::handle::advance;
use super::life::{failed, moved};
#[cfg(feature = "process")]
use crate::Instance;
use crate::{Shutdown, telemetry};

/// How many agents are read at once, and handed over by one call.
const PAGE: u32 = 128;
/// How often another change may come in between before an agent is left to the next call.
const TRIES: u32 = 8;
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

/// What was done about an agent.
enum Outcome {
    Spawned(Box<Stored<Agent>>),
    Held,
    GivenUp,
    /// It is not due any more.
    Passed,
    /// Others kept changing it, or its swarm.
    Crowded,
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
        let (now, mut due) = (self.orchestra.now(), Due::default());
        self.mend(now).await?;
        if let Err(error) = self.walk(now, &mut due).await {
            if due.agents.is_empty() {
                return Err(error);
            }
            due.problems.push(error);
            due.next = Some(now);
        }
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

    async fn walk(&self, now: Timestamp, due: &mut Due) -> Result<()> {
        let agents = self.orchestra.store().kind::<Agent>();
        let mut query = self.waiting(Bound::Unbounded, Bound::Included(now.into()))?;
        loop {
            let page = agents.list(&query).await?;
            for agent in page.items {
                if due.agents.len() == PAGE as usize {
                    due.next = Some(now);
                    return Ok(());
                }
                let outcome = match agent {
                    Ok(agent) => self.act(agent.id(), now).await,
                    Err(error) => Err(error),
                };
                match outcome {
                    Ok(Outcome::Spawned(agent)) => due.agents.push(*agent),
                    Ok(Outcome::Held) => due.held += 1,
                    Ok(Outcome::GivenUp) => due.given_up += 1,
                    Ok(Outcome::Passed) => {}
                    Ok(Outcome::Crowded) => due.next = Some(now),
                    Err(error) if error.is_of_one_record() => {
                        due.problems.push(error);
                        due.problems.truncate(PAGE as usize);
                    }
                    Err(error) => return Err(error),
                }
            }
            let Some(next) = page.next else { break };
            query.page = query.page.after(next);
        }
        due.next = match due.next {
            None => self.next(now).await?,
            at_once => at_once,
        };
        Ok(())
    }

    /// Lets no agent wait longer than it could have been told to: those that seem to were told so
    /// before the wall clock was put back, and wait their time from now on.
    async fn mend(&self, now: Timestamp) -> Result<()> {
        let longest = now.plus(Agent::MAX_RETRY_DELAY);
        let query = self.waiting(Bound::Excluded(longest.into()), Bound::Unbounded)?;
        let agents = self.orchestra.store().kind::<Agent>();
        for agent in agents.list(&query).await?.items.into_iter().flatten() {
            let at = now.plus(Agent::retry_delay(agent.retry_count));
            let mut draft = self.draft("the clock was put back since it was told to wait");
            draft.replace(&agent, &Agent { next_retry_at: Some(at), ..(*agent).clone() })?;
            match self.commit(&draft).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                mended => drop(mended?),
            }
        }
        Ok(())
    }

    /// When the next agent is due.
    async fn next(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let query = self.waiting(Bound::Excluded(now.into()), Bound::Unbounded)?;
        let page = self.orchestra.store().kind::<Agent>().list(&query).await?;
        let mut readable = page.items.into_iter().flatten();
        Ok(readable.find_map(|agent| agent.next_retry_at))
    }

    /// The agents that wait for a time within these bounds, the earliest first.
    fn waiting(&self, low: Bound<AttrValue>, high: Bound<AttrValue>) -> Result<Query> {
        let retrying = Filter::is(AttrName::status(), AgentStatus::Retrying.as_str());
        let within = Filter { name: AttrName::deadline(), test: Test::Within(low, high) };
        Ok(Query {
            filters: vec![retrying, within],
            order: Order::Attr(AttrName::deadline()),
            page: Page::first(PAGE),
            ..self.orchestra.store().kind::<Agent>().query()?
        })
    }

    /// Reads an agent again and moves it, if it is still due.
    async fn act(&self, id: &str, now: Timestamp) -> Result<Outcome> {
        let handle = self.orchestra.agent(id);
        for _ in 0..TRIES {
            let (agent, swarm) = match handle.with_swarm().await {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Outcome::Passed),
                read => read?,
            };
            let is_due = agent.next_retry_at.is_some_and(|at| at <= now);
            if agent.status != AgentStatus::Retrying || !is_due {
                return Ok(Outcome::Passed);
            }
            let is_over = match &swarm {
                Some(swarm) if swarm.status == SwarmStatus::Paused => return Ok(Outcome::Held),
                Some(swarm) => swarm.status.is_settled(),
                None => agent.swarm_id.is_some(),
            };
            let moved = if is_over {
                self.give_up(&agent, swarm.as_ref(), now).await.map(|()| Outcome::GivenUp)
            } else {
                self.spawn(&agent, swarm.as_ref(), now).await
            };
            match moved {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                other => return other,
            }
        }
        Ok(Outcome::Crowded)
    }

    async fn spawn(
        &self,
        agent: &Stored<Agent>,
        swarm: Option<&Stored<Swarm>>,
        now: Timestamp,
    ) -> Result<Outcome> {
        let next = moved(agent, AgentStatus::Spawning, now);
        let mut draft = self.draft("its time to be tried again has come");
        draft.replace(agent, &next)?;
        if let Some(swarm) = swarm {
            draft.fence(swarm);
        }
        let receipt = self.commit(&draft).await?;
        Ok(Outcome::Spawned(Box::new(advance(agent, next, &receipt)?)))
    }

    async fn give_up(
        &self,
        agent: &Stored<Agent>,
        swarm: Option<&Stored<Swarm>>,
        now: Timestamp,
    ) -> Result<()> {
        let handle = self.orchestra.agent(agent.id());
        let error = agent.last_error.clone().unwrap_or_default();
        let (next, failure) = failed(agent, &error, true, now);
        let told = Some(handle.failure(agent, &next, failure));
        let mut draft = self.draft("its swarm is over");
        handle.write(&mut draft, agent, swarm, &AgentStep { next, told })?;
        self.commit(&draft).await.map(drop)
    }

    fn draft(&self, reason: &str) -> Draft {
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
    async fn commit(&self, draft: &Draft) -> Result<Receipt> {
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
