//! What a swarm can be told to do.

use outlast_core::{
    Error, ErrorKind, Key, Result, Status, Swarm, SwarmStatus,
    SwarmStatus::{Active, Completed, Creating, Destroyed, Failed, Paused, Scaling},
    Timestamp,
};
use outlast_store::Stored;

use super::agents::NewAgent;
use super::handle::{AgentHandle, Answer, Step, SwarmHandle, report};
use super::notice::{Tone, clip, notice};
use super::rule::Rule;
use super::tally::{conclude, end, recounted};

const ACTIVATE: Rule<SwarmStatus> =
    Rule { name: "activate", from: &[Creating, Scaling], to: Active };
const SCALE: Rule<SwarmStatus> = Rule { name: "scale", from: &[Active], to: Scaling };
const PAUSE: Rule<SwarmStatus> = Rule { name: "pause", from: &[Active, Scaling], to: Paused };
const RESUME: Rule<SwarmStatus> = Rule { name: "resume", from: &[Paused], to: Active };
const COMPLETE: Rule<SwarmStatus> =
    Rule { name: "complete", from: &[Active, Paused], to: Completed };
const FAIL: Rule<SwarmStatus> =
    Rule { name: "fail", from: &[Creating, Active, Scaling, Paused], to: Failed };
const DESTROY: Rule<SwarmStatus> = Rule {
    name: "destroy",
    from: &[Creating, Active, Scaling, Paused, Completed, Failed],
    to: Destroyed,
};

impl SwarmHandle {
    /// Adds an agent, which is pending then. It gets the swarm's model if it names none.
    ///
    /// A swarm takes agents while it is creating, active or scaling, else this is
    /// `IllegalTransition`; and as many at once as its configuration says, or what it is being
    /// scaled to: `TooLarge` beyond that, however many add at the same time. `Exists` if there is
    /// an agent of that id; `NotFound` if the session or parent it names does not live.
    pub async fn add(&self, agent: NewAgent) -> Result<AgentHandle> {
        agent.create_within(self).await
    }

    /// Lets it begin, or go on once its agents are as it was scaled: creating or scaling to
    /// active.
    ///
    /// If all of its agents are over by then, it completes or fails at once, which takes a second
    /// commit.
    pub async fn activate(&self) -> Result<Stored<Swarm>> {
        let activated = self.shift(&ACTIVATE, |_, _| Ok(())).await?;
        if !activated.metrics.are_over() {
            return Ok(activated);
        }
        let active = self.orchestra.swarm(self.id.clone());
        active.change(|swarm, now| Ok(self.ended(swarm, now))).await
    }

    /// Begins to scale it to so many agents: active to scaling. Add or kill agents, and then
    /// [`activate`](Self::activate) it; until then it does not complete, and takes no more agents
    /// than so many. `TooLarge` for more than its configuration allows.
    pub async fn scale(&self, agents: u32) -> Result<Stored<Swarm>> {
        self.shift(&SCALE, |swarm, key| {
            let most = swarm.config.max_agents;
            if agents > most {
                return Err(Error::too_large(format!(
                    "{key} cannot be scaled to {agents} agents: it may have {most}"
                )));
            }
            swarm.target_agents = Some(agents);
            Ok(())
        })
        .await
    }

    /// Lets it wait: active or scaling to paused. It takes no agents, none of them is tried again,
    /// and it does not complete. Agents at work go on: pause each of them that is to wait too.
    /// What it was being scaled to is forgotten.
    pub async fn pause(&self) -> Result<Stored<Swarm>> {
        self.shift(&PAUSE, |swarm, _| {
            swarm.target_agents = None;
            Ok(())
        })
        .await
    }

    /// Lets it go on: paused to active, or to what it is if all of its agents are over by then.
    pub async fn resume(&self) -> Result<Stored<Swarm>> {
        let resumed = self
            .change(|swarm, now| {
                RESUME.check(&swarm.key, swarm.status)?;
                let mut next = Swarm { status: Active, ..(**swarm).clone() };
                let ended = conclude(&mut next, &swarm.key, self.orchestra.cause(), now);
                Ok(Some(Step { next, events: ended.into_iter().collect() }))
            })
            .await?;
        self.orchestra.hurry();
        Ok(resumed)
    }

    /// Ends it well, whatever its agents are at: active or paused to completed.
    pub async fn complete(&self) -> Result<Stored<Swarm>> {
        self.finish(&COMPLETE, Tone::Well, |_| "completed".to_owned()).await
    }

    /// Gives it up, whatever its agents are at. Of the error at most 4096 bytes are kept.
    ///
    /// Its agents are left as they are, and are counted when they end; but one that fails, or
    /// waits to be tried again, is not.
    pub async fn fail(&self, error: &str) -> Result<Stored<Swarm>> {
        let error = clip(error);
        self.finish(&FAIL, Tone::Wrong, |swarm| {
            swarm.error = Some(error.to_owned());
            format!("failed: {error}")
        })
        .await
    }

    /// Takes it apart, in whatever state it is; its agents are left as with [`fail`](Self::fail).
    /// A swarm that is destroyed stays as it is.
    pub async fn destroy(&self) -> Result<Stored<Swarm>> {
        self.finish(&DESTROY, Tone::Asked, |_| "was destroyed".to_owned()).await
    }

    /// Counts its agents anew, and takes off the mark of a swarm that recovery found half made or
    /// half scaled: for after such a recovery, and after one of its agents was rolled back or
    /// imported. If it is active and none is at work, it completes or fails. What is right already
    /// stays as it is.
    pub async fn reconcile(&self) -> Result<Stored<Swarm>> {
        let store = self.orchestra.store();
        let swarms = store.kind::<Swarm>();
        let attempt = || async {
            let (mut draft, swarm) = (self.orchestra.draft(), self.get().await?);
            self.check_version(&swarm)?;
            // No agent comes or ends without a new version of the swarm, so what is counted now is
            // right if the swarm is still at the version that was read before.
            let metrics = recounted(store, swarm.id()).await?;
            let mut next = Swarm { metrics, needs_reconcile: false, ..(*swarm).clone() };
            let (cause, now) = (self.orchestra.cause(), self.orchestra.now());
            let told = conclude(&mut next, &swarm.key, cause, now);
            if next == *swarm {
                return Ok((draft, Answer::Stays(swarm)));
            }
            draft.replace(&swarm, &next)?;
            report(&mut draft, told.as_slice())?;
            Ok((draft, Answer::Becomes(swarm, next)))
        };
        let (receipt, answer) = store.commit_with(&[swarms.key(&self.id)?], attempt).await?;
        answer.settle(receipt)
    }

    /// Moves it by a rule, with what else is to change.
    async fn shift(
        &self,
        rule: &Rule<SwarmStatus>,
        also: impl Fn(&mut Swarm, &Key) -> Result<()>,
    ) -> Result<Stored<Swarm>> {
        self.change(|swarm, _| {
            rule.check(&swarm.key, swarm.status)?;
            let mut next = Swarm { status: rule.to, ..(**swarm).clone() };
            if rule.to == Active {
                next.target_agents = None;
            }
            also(&mut next, &swarm.key)?;
            Ok(Some(Step::quiet(next)))
        })
        .await
    }

    /// Settles it by a rule, and tells of it in words.
    async fn finish(
        &self,
        rule: &Rule<SwarmStatus>,
        tone: Tone,
        words: impl Fn(&mut Swarm) -> String,
    ) -> Result<Stored<Swarm>> {
        self.change(|swarm, now| {
            let key = &swarm.key;
            if swarm.status == Destroyed && rule.to == Destroyed {
                return Ok(None);
            }
            rule.check(key, swarm.status)?;
            let mut next = (**swarm).clone();
            end(&mut next, rule.to, now);
            let message = format!("{key} {}", words(&mut next));
            let told = notice(self.orchestra.cause(), tone, rule.name, key, &message);
            Ok(Some(Step { next, events: vec![told] }))
        })
        .await
    }

    fn ended(&self, swarm: &Stored<Swarm>, now: Timestamp) -> Option<Step<Swarm>> {
        let mut next = (**swarm).clone();
        let told = conclude(&mut next, &swarm.key, self.orchestra.cause(), now)?;
        Some(Step { next, events: vec![told] })
    }
}

/// `IllegalTransition` for what is not a move, naming the state that does not allow it.
pub(super) fn refusal(what: &Key, does: &str, status: SwarmStatus) -> Error {
    let message = format!("{what} {does}: it is {}", status.as_str());
    Error::new(ErrorKind::IllegalTransition, message)
}
