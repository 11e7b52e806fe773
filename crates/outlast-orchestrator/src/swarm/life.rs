//! What an agent becomes. Pure: no store, no clock.

use outlast_core::{
    Agent, AgentStatus,
    AgentStatus::{
        Blocked, Completed, Failed, Killed, Paused, Pending, Retrying, Running, Spawning,
    },
    Timestamp,
};

use super::notice::clip;
use super::rule::Rule;

pub(super) const SPAWN: Rule<AgentStatus> =
    Rule { name: "spawn", from: &[Pending, Retrying], to: Spawning };
pub(super) const START: Rule<AgentStatus> =
    Rule { name: "start", from: &[Pending, Spawning, Retrying], to: Running };
pub(super) const PAUSE: Rule<AgentStatus> =
    Rule { name: "pause", from: &[Running, Retrying], to: Paused };
pub(super) const RESUME: Rule<AgentStatus> = Rule { name: "resume", from: &[Paused], to: Running };
pub(super) const BLOCK: Rule<AgentStatus> = Rule { name: "block", from: &[Running], to: Blocked };
pub(super) const UNBLOCK: Rule<AgentStatus> =
    Rule { name: "unblock", from: &[Blocked], to: Running };
pub(super) const COMPLETE: Rule<AgentStatus> =
    Rule { name: "complete", from: &[Running], to: Completed };
pub(super) const FAIL: Rule<AgentStatus> = Rule {
    name: "fail",
    from: &[Pending, Spawning, Running, Paused, Blocked, Retrying],
    to: Failed,
};
pub(super) const GIVE_UP: Rule<AgentStatus> = Rule { name: "give_up", ..FAIL };
pub(super) const KILL: Rule<AgentStatus> = Rule {
    name: "kill",
    from: &[Pending, Spawning, Running, Paused, Blocked, Retrying],
    to: Killed,
};
pub(super) const RETRY: Rule<AgentStatus> = Rule { name: "retry", from: &[Failed], to: Retrying };
pub(super) const REQUEUE: Rule<AgentStatus> =
    Rule { name: "requeue", from: &[Failed], to: Pending };

/// The agent in another state, with the times that go with it.
pub(crate) fn moved(agent: &Agent, to: AgentStatus, now: Timestamp) -> Agent {
    let mut next = Agent { status: to, next_retry_at: None, ..agent.clone() };
    match to {
        Running => {
            next.started_at.get_or_insert(now);
            if agent.status == Paused {
                next.resumed_at = Some(now);
            }
        }
        Paused => next.paused_at = Some(now),
        Completed | Failed | Killed => {
            let runtime = next.started_at.map(|started| now.since(started).as_millis());
            next.runtime_ms = runtime.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX));
            next.completed_at = Some(now);
        }
        Pending | Spawning | Blocked | Retrying => {}
    }
    next
}

/// What a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It is tried again with the same model.
    Retried,
    /// It is tried again with the next model.
    Escalated,
    /// It is given up.
    Final,
}

/// The agent once it failed. What fails at work is tried again while it may be; what fails
/// otherwise, or `without_retry`, is given up.
pub(super) fn failed(
    agent: &Agent,
    error: &str,
    without_retry: bool,
    now: Timestamp,
) -> (Agent, Failure) {
    let mut next =
        Agent { last_error: Some(clip(error).to_owned()), ..moved(agent, Retrying, now) };
    let retry = agent.retry_count.saturating_add(1);
    let failure = if without_retry || agent.status != Running {
        Failure::Final
    } else if retry <= agent.max_retries {
        next.retry_count = retry;
        Failure::Retried
    } else if next.fallback_models.is_empty() {
        Failure::Final
    } else {
        next.model = next.fallback_models.remove(0);
        next.retry_count = 0;
        Failure::Escalated
    };
    if failure == Failure::Final {
        return (moved(&next, Failed, now), failure);
    }
    next.next_retry_at = Some(now.plus(Agent::retry_delay(next.retry_count)));
    (next, failure)
}

/// The agent once somebody asked for it to be tried again.
pub(super) fn revived(agent: &Agent, to: AgentStatus, now: Timestamp) -> Agent {
    Agent {
        retry_count: agent.retry_count.saturating_add(1),
        next_retry_at: (to == Retrying).then_some(now),
        completed_at: None,
        runtime_ms: None,
        ..moved(agent, to, now)
    }
}
