//! One look for the agents that are due.

use std::ops::Bound;

use outlast_core::{
    Agent, AgentStatus, AttrName, AttrValue, ErrorKind, Filter, Order, Page, Query, Result, Status,
    Swarm, SwarmStatus, Test, Timestamp,
};
use outlast_store::Stored;

use super::handle::advance;
use super::life::{failed, moved};
use super::retries::{Due, Retries};
use super::settling::AgentStep;

/// How many agents are read at once, and handed over by one look.
const PAGE: u32 = 128;
/// How often another change may come in between before an agent is left to the next look.
const TRIES: u32 = 8;

/// A look, and what it has come to so far.
pub(super) struct Round<'a> {
    retries: &'a Retries,
    now: Timestamp,
    due: Due,
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

impl<'a> Round<'a> {
    pub(super) fn new(retries: &'a Retries) -> Self {
        Self { retries, now: retries.orchestra().now(), due: Due::default() }
    }

    /// Moves what is due. What was moved before something went wrong is handed over all the same.
    pub(super) async fn look(mut self) -> Result<Due> {
        self.mend().await?;
        let walked = self.walk().await;
        match walked {
            Err(error) if self.due.agents.is_empty() => return Err(error),
            Err(error) => {
                self.due.problems.push(error);
                self.due.next = Some(self.now);
            }
            Ok(()) => {}
        }
        Ok(self.due)
    }

    async fn walk(&mut self) -> Result<()> {
        let agents = self.retries.orchestra().store().kind::<Agent>();
        let mut query = self.waiting(Bound::Unbounded, Bound::Included(self.now.into()))?;
        loop {
            let page = agents.list(&query).await?;
            for agent in page.items {
                if self.due.agents.len() == PAGE as usize {
                    self.due.next = Some(self.now);
                    return Ok(());
                }
                self.see(agent).await?;
            }
            let Some(next) = page.next else { break };
            query.page = query.page.after(next);
        }
        if self.due.next.is_none() {
            self.due.next = self.next().await?;
        }
        Ok(())
    }

    /// Acts on an agent and notes what came of it.
    async fn see(&mut self, agent: Result<Stored<Agent>>) -> Result<()> {
        let outcome = match agent {
            Ok(agent) => self.act(agent.id()).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(Outcome::Spawned(agent)) => self.due.agents.push(*agent),
            Ok(Outcome::Held) => self.due.held += 1,
            Ok(Outcome::GivenUp) => self.due.given_up += 1,
            Ok(Outcome::Passed) => {}
            Ok(Outcome::Crowded) => self.due.next = Some(self.now),
            Err(error) if error.is_of_one_record() => {
                self.due.problems.push(error);
                self.due.problems.truncate(PAGE as usize);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Lets no agent wait longer than it could have been told to: those that seem to were told so
    /// before the wall clock was put back, and wait their time from now on.
    async fn mend(&self) -> Result<()> {
        let longest = self.now.plus(Agent::MAX_RETRY_DELAY);
        let query = self.waiting(Bound::Excluded(longest.into()), Bound::Unbounded)?;
        let agents = self.retries.orchestra().store().kind::<Agent>();
        for agent in agents.list(&query).await?.items.into_iter().flatten() {
            let at = self.now.plus(Agent::retry_delay(agent.retry_count));
            let mut draft = self.retries.draft("the clock was put back since it was told to wait");
            draft.replace(&agent, &Agent { next_retry_at: Some(at), ..(*agent).clone() })?;
            match self.retries.commit(&draft).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                mended => drop(mended?),
            }
        }
        Ok(())
    }

    /// When the next agent is due.
    async fn next(&self) -> Result<Option<Timestamp>> {
        let query = self.waiting(Bound::Excluded(self.now.into()), Bound::Unbounded)?;
        let page = self.retries.orchestra().store().kind::<Agent>().list(&query).await?;
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
            ..self.retries.orchestra().store().kind::<Agent>().query()?
        })
    }

    /// Reads an agent again and moves it, if it is still due.
    async fn act(&self, id: &str) -> Result<Outcome> {
        let handle = self.retries.orchestra().agent(id);
        for _ in 0..TRIES {
            let (agent, swarm) = match handle.with_swarm().await {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Outcome::Passed),
                read => read?,
            };
            let is_due = agent.next_retry_at.is_some_and(|at| at <= self.now);
            if agent.status != AgentStatus::Retrying || !is_due {
                return Ok(Outcome::Passed);
            }
            let is_over = match &swarm {
                Some(swarm) if swarm.status == SwarmStatus::Paused => return Ok(Outcome::Held),
                Some(swarm) => swarm.status.is_settled(),
                None => agent.swarm_id.is_some(),
            };
            let moved = if is_over {
                self.give_up(&agent, swarm.as_ref()).await.map(|()| Outcome::GivenUp)
            } else {
                self.spawn(&agent, swarm.as_ref()).await
            };
            match moved {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                other => return other,
            }
        }
        Ok(Outcome::Crowded)
    }

    async fn spawn(&self, agent: &Stored<Agent>, swarm: Option<&Stored<Swarm>>) -> Result<Outcome> {
        let next = moved(agent, AgentStatus::Spawning, self.now);
        let mut draft = self.retries.draft("its time to be tried again has come");
        draft.replace(agent, &next)?;
        if let Some(swarm) = swarm {
            draft.fence(swarm);
        }
        let receipt = self.retries.commit(&draft).await?;
        Ok(Outcome::Spawned(Box::new(advance(agent, next, &receipt)?)))
    }

    async fn give_up(&self, agent: &Stored<Agent>, swarm: Option<&Stored<Swarm>>) -> Result<()> {
        let handle = self.retries.orchestra().agent(agent.id());
        let error = agent.last_error.clone().unwrap_or_default();
        let (next, failure) = failed(agent, &error, true, self.now);
        let told = Some(handle.failure(agent, &next, failure));
        let mut draft = self.retries.draft("its swarm is over");
        handle.write(&mut draft, agent, swarm, &AgentStep { next, told })?;
        self.retries.commit(&draft).await.map(drop)
    }
}
