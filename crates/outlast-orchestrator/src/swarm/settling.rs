//! Changing an agent together with what its swarm counts.

use outlast_core::{Agent, AgentStatus, Error, Event, Result, Swarm, Timestamp};
use outlast_store::{Draft, Stored};

use super::handle::{AgentHandle, Answer, report};
use super::life::Failure;
use super::notice::{Tone, notice};
use super::tally::{conclude, counted};

/// What an operation makes of an agent, and what is to be told about it.
#[derive(Debug)]
pub(super) struct AgentStep {
    pub(super) next: Agent,
    pub(super) told: Option<Event>,
}

impl AgentHandle {
    /// Changes it, and what its swarm counts, in one commit.
    pub(super) async fn settle(
        &self,
        decide: impl Fn(&Stored<Agent>, Option<&Stored<Swarm>>, Timestamp) -> Result<Option<AgentStep>>,
    ) -> Result<Stored<Agent>> {
        let (store, decide) = (self.orchestra.store(), &decide);
        // An agent never changes its swarm, so this much can be read before its turn comes.
        let swarm_id = self.get().await?.swarm_id.clone();
        let mut keys = vec![store.kind::<Agent>().key(&self.id)?];
        if let Some(swarm_id) = &swarm_id {
            keys.push(store.kind::<Swarm>().key(swarm_id)?);
        }
        let attempt = || async move {
            let (agent, swarm) = self.with_swarm().await?;
            let (mut draft, now) = (self.orchestra.draft(), self.orchestra.now());
            self.check_version(&agent)?;
            let Some(step) = decide(&agent, swarm.as_ref(), now)? else {
                return Ok((draft, Answer::Stays(agent)));
            };
            self.write(&mut draft, &agent, swarm.as_ref(), &step)?;
            Ok((draft, Answer::Becomes(agent, step.next)))
        };
        let (receipt, answer) = store.commit_with(&keys, attempt).await?;
        answer.settle(receipt)
    }

    /// It, and its swarm if it has one that lives.
    pub(super) async fn with_swarm(&self) -> Result<(Stored<Agent>, Option<Stored<Swarm>>)> {
        let agent = self.get().await?;
        let swarm = match &agent.swarm_id {
            Some(swarm_id) => self.orchestra.store().kind::<Swarm>().find(swarm_id).await?,
            None => None,
        };
        Ok((agent, swarm))
    }

    /// Puts a step into a draft: the agent, what its swarm counts and becomes by it, the events.
    pub(super) fn write(
        &self,
        draft: &mut Draft,
        agent: &Stored<Agent>,
        swarm: Option<&Stored<Swarm>>,
        step: &AgentStep,
    ) -> Result<()> {
        draft.replace(agent, &step.next)?;
        report(draft, step.told.as_slice())?;
        let Some(swarm) = swarm else { return Ok(()) };
        let mut next = counted(swarm, Some(agent.status), step.next.status);
        let (cause, now) = (self.orchestra.cause(), self.orchestra.now());
        let ended = conclude(&mut next, &swarm.key, cause, now);
        if next != **swarm {
            draft.replace(swarm, &next)?;
        } else if step.next.status == AgentStatus::Retrying {
            // What was decided depends on whether the swarm is over.
            draft.fence(swarm);
        }
        report(draft, ended.as_slice())
    }

    /// What is told of a failure.
    pub(super) fn failure(&self, agent: &Stored<Agent>, next: &Agent, failure: Failure) -> Event {
        let (key, error) = (&agent.key, next.last_error.as_deref().unwrap_or_default());
        let (tone, action, message) = match failure {
            Failure::Retried => {
                let (retry, most) = (next.retry_count, next.max_retries);
                (Tone::Warn, "retry", format!("{key} failed, retry {retry} of {most}: {error}"))
            }
            Failure::Escalated => {
                let (from, to) = (&agent.model, &next.model);
                (Tone::Warn, "escalated", format!("{key} escalated from {from} to {to}: {error}"))
            }
            Failure::Final => (Tone::Wrong, "fail", format!("{key} failed: {error}")),
        };
        notice(self.orchestra.cause(), tone, action, key, &message)
    }
}

/// `TooLarge` unless the swarm may have one more agent at work.
pub(super) fn check_room(swarm: &Stored<Swarm>) -> Result<()> {
    let (at_work, capacity) = (swarm.metrics.at_work(), swarm.capacity());
    if at_work < capacity {
        return Ok(());
    }
    Err(Error::too_large(format!(
        "{} has {at_work} agents at work and may have {capacity}: wait for one to end",
        swarm.key
    )))
}
