//! What an agent can be told to do.

use outlast_core::{Agent, AgentStatus, AttrName, AttrValue, Attributes, Result, Status};
use outlast_store::Stored;

use super::handle::{AgentHandle, Step};
use super::life::{
    BLOCK, COMPLETE, FAIL, GIVE_UP, KILL, PAUSE, REQUEUE, RESUME, RETRY, SPAWN, START, UNBLOCK,
    failed, moved, revived,
};
use super::notice::{Tone, notice};
use super::rule::Rule;
use super::settling::{AgentStep, check_room};
use super::swarm_handle::refusal;
use crate::telemetry;

/// The transient attribute that says when an agent last gave a sign of life, in microseconds
/// since 1970.
pub const LAST_ACTIVITY: &str = "last_activity_at";
/// The transient attribute that says how far an agent is, in percent.
pub const PROGRESS: &str = "progress";

impl AgentHandle {
    /// Begins to bring it up: pending or retrying to spawning.
    ///
    /// If that fails it is given up; [`start`](Self::start) it at once if failing to bring it up
    /// is to be tried again.
    pub async fn spawn(&self) -> Result<Stored<Agent>> {
        self.shift(&SPAWN).await
    }

    /// Puts it to work: pending, spawning or retrying to running.
    pub async fn start(&self) -> Result<Stored<Agent>> {
        self.shift(&START).await
    }

    /// Lets it wait: running or retrying to paused. It is not tried again by itself then.
    pub async fn pause(&self) -> Result<Stored<Agent>> {
        self.shift(&PAUSE).await
    }

    /// Lets it go on: paused to running.
    pub async fn resume(&self) -> Result<Stored<Agent>> {
        self.shift(&RESUME).await
    }

    /// Says that it waits for something it cannot bring about: running to blocked.
    pub async fn block(&self) -> Result<Stored<Agent>> {
        self.shift(&BLOCK).await
    }

    /// Says that what it waited for is there: blocked to running.
    pub async fn unblock(&self) -> Result<Stored<Agent>> {
        self.shift(&UNBLOCK).await
    }

    /// Says that it has done its work: running to completed. An agent that completed or was killed
    /// before stays as it is: look at the answer.
    pub async fn complete(&self) -> Result<Stored<Agent>> {
        self.finish(&COMPLETE, Tone::Well, "completed").await
    }

    /// Stops it, in whatever state it is at work or waiting. An agent that completed or was killed
    /// before stays as it is, so whichever of both was committed first has won.
    pub async fn kill(&self) -> Result<Stored<Agent>> {
        self.finish(&KILL, Tone::Asked, "was killed").await
    }

    /// Says that it went wrong. Of the error at most 4096 bytes are kept.
    ///
    /// A running agent is tried again with the same model, up to `max_retries` times; then it is
    /// escalated to the next of its fallback models, with as many retries again; then it is given
    /// up. Until it is tried again it is retrying, and waits two to the power of its retry count
    /// in seconds, at most five minutes: [`Retries`](super::Retries) sees to that. An agent that
    /// is not running, or whose swarm is over, is given up at once: it has failed.
    pub async fn fail(&self, error: &str) -> Result<Stored<Agent>> {
        let agent = self.failed(&FAIL, error, false).await?;
        if agent.status == AgentStatus::Retrying {
            self.orchestra.hurry();
            if agent.retry_count == 0 {
                metrics::counter!(telemetry::AGENT_ESCALATIONS).increment(1);
            }
        }
        Ok(agent)
    }

    /// Says that it went wrong in a way that trying again does not mend: it has failed, whatever
    /// retries it had left. Of the error at most 4096 bytes are kept.
    pub async fn give_up(&self, error: &str) -> Result<Stored<Agent>> {
        self.failed(&GIVE_UP, error, true).await
    }

    /// Tries it again though it had been given up: failed to retrying, due at once.
    ///
    /// It counts as a retry, and as at work in its swarm again. `IllegalTransition` if its swarm
    /// is over, `TooLarge` if that has no room for it.
    pub async fn retry(&self) -> Result<Stored<Agent>> {
        let agent = self.revive(&RETRY).await?;
        self.orchestra.hurry();
        Ok(agent)
    }

    /// The same as [`retry`](Self::retry), but it is pending then, and waits for somebody to start
    /// it.
    pub async fn requeue(&self) -> Result<Stored<Agent>> {
        self.revive(&REQUEUE).await
    }

    /// Notes that it gives a sign of life, as [`LAST_ACTIVITY`]. The last one is all that is kept:
    /// no version, no history.
    pub async fn touch(&self) -> Result<()> {
        self.note(Attributes::new()).await
    }

    /// Notes how far it is, as [`PROGRESS`], besides that it gives a sign of life.
    pub async fn progress(&self, percent: u8) -> Result<()> {
        let percent = AttrValue::Int(percent.into());
        self.note(Attributes::from([(AttrName::new(PROGRESS)?, percent)])).await
    }

    async fn note(&self, mut attrs: Attributes) -> Result<()> {
        let now = AttrValue::from(self.orchestra.now());
        attrs.insert(AttrName::new(LAST_ACTIVITY)?, now);
        self.orchestra.store().kind::<Agent>().touch(&self.id, attrs).await
    }

    /// Moves it by a rule that leads to no end.
    async fn shift(&self, rule: &Rule<AgentStatus>) -> Result<Stored<Agent>> {
        self.change(|agent, now| {
            rule.check(&agent.key, agent.status)?;
            Ok(Some(Step::quiet(moved(agent, rule.to, now))))
        })
        .await
    }

    async fn failed(
        &self,
        rule: &Rule<AgentStatus>,
        error: &str,
        for_good: bool,
    ) -> Result<Stored<Agent>> {
        self.settle(|agent, swarm, now| {
            rule.check(&agent.key, agent.status)?;
            let is_over = swarm.is_some_and(|swarm| swarm.status.is_settled());
            let (next, failure) = failed(agent, error, for_good || is_over, now);
            let told = self.failure(agent, &next, failure);
            Ok(Some(AgentStep { next, told: Some(told) }))
        })
        .await
    }

    async fn finish(
        &self,
        rule: &Rule<AgentStatus>,
        tone: Tone,
        words: &str,
    ) -> Result<Stored<Agent>> {
        self.settle(|agent, _, now| {
            if matches!(agent.status, AgentStatus::Completed | AgentStatus::Killed) {
                return Ok(None);
            }
            rule.check(&agent.key, agent.status)?;
            let message = format!("{} {words}", agent.key);
            let told = notice(self.orchestra.cause(), tone, rule.name, &agent.key, &message);
            Ok(Some(AgentStep { next: moved(agent, rule.to, now), told: Some(told) }))
        })
        .await
    }

    async fn revive(&self, rule: &Rule<AgentStatus>) -> Result<Stored<Agent>> {
        self.settle(|agent, swarm, now| {
            rule.check(&agent.key, agent.status)?;
            if let Some(swarm) = swarm {
                if swarm.status.is_settled() {
                    let cannot = format!("cannot have {} tried again", agent.key);
                    return Err(refusal(&swarm.key, &cannot, swarm.status));
                }
                check_room(swarm)?;
            }
            let next = revived(agent, rule.to, now);
            let message = format!("{} is tried again though it had been given up", agent.key);
            let cause = self.orchestra.cause();
            let told = notice(cause, Tone::Asked, rule.name, &agent.key, &message);
            Ok(Some(AgentStep { next, told: Some(told) }))
        })
        .await
    }
}
