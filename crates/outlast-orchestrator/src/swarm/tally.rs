//! What becomes of a swarm by what becomes of its agents.
//!
//! A swarm is over when it is active and its last agent at work is over: it has completed if at
//! least one of its agents did, and failed if none did, be it that they failed or were killed.
//! Counting and ending are part of the commit that changes the agent. A swarm that is to be
//! reconciled may be about to get the agents it lacks, and does not end before it was.

use outlast_core::{
    Agent, AgentStatus, AttrName, AttrValue, Cause, Event, Filter, Key, Result, Status, Swarm,
    SwarmMetrics, SwarmStatus, Timestamp,
};
use outlast_store::Store;

use super::notice::{Tone, notice};

/// The swarm once one of its agents moved; an agent that comes from nowhere is a new one.
pub(crate) fn counted(swarm: &Swarm, from: Option<AgentStatus>, to: AgentStatus) -> Swarm {
    let mut next = swarm.clone();
    match from {
        None => next.metrics.total = next.metrics.total.saturating_add(1),
        Some(from) => {
            if let Some(count) = count_of(&mut next.metrics, from) {
                *count = count.saturating_sub(1);
            }
        }
    }
    if let Some(count) = count_of(&mut next.metrics, to) {
        *count = count.saturating_add(1);
    }
    next
}

fn count_of(metrics: &mut SwarmMetrics, status: AgentStatus) -> Option<&mut u32> {
    match status {
        AgentStatus::Completed => Some(&mut metrics.completed),
        AgentStatus::Failed => Some(&mut metrics.failed),
        AgentStatus::Killed => Some(&mut metrics.killed),
        _ => None,
    }
}

/// What the agents of a swarm are, counted in the index.
pub(super) async fn recounted(store: &Store, swarm_id: &str) -> Result<SwarmMetrics> {
    let agents = store.kind::<Agent>();
    let query = agents.query()?.filter(Filter::is(AttrName::group(), swarm_id));
    let counts = agents.count(&query, &[AttrName::status()]).await?;
    let mut metrics = SwarmMetrics { total: clamped(counts.total), ..SwarmMetrics::default() };
    for (group, found) in counts.groups {
        if let [Some(AttrValue::Text(status))] = group.as_slice()
            && let Some(count) = count_of(&mut metrics, AgentStatus::parse(status)?)
        {
            *count = clamped(found);
        }
    }
    Ok(metrics)
}

fn clamped(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Ends a swarm all of whose agents are over, and tells of it.
pub(crate) fn conclude(
    swarm: &mut Swarm,
    key: &Key,
    cause: &Cause,
    now: Timestamp,
) -> Option<Event> {
    let is_complete = swarm.status == SwarmStatus::Active && !swarm.needs_reconcile;
    if !is_complete || !swarm.metrics.are_over() {
        return None;
    }
    let SwarmMetrics { total, completed, failed, killed } = swarm.metrics;
    if completed > 0 {
        end(swarm, SwarmStatus::Completed, now);
        let message = format!("{key} completed: {completed} of its {total} agents did");
        return Some(notice(cause, Tone::Well, "complete", key, &message));
    }
    let error =
        format!("none of its {total} agents completed: {failed} failed, {killed} were killed");
    let message = format!("{key} failed: {error}");
    end(swarm, SwarmStatus::Failed, now);
    swarm.error = Some(error);
    Some(notice(cause, Tone::Wrong, "fail", key, &message))
}

/// Puts a swarm into a settled state. When it was over first is not forgotten.
pub(super) fn end(swarm: &mut Swarm, status: SwarmStatus, now: Timestamp) {
    swarm.status = status;
    swarm.target_agents = None;
    swarm.completed_at.get_or_insert(now);
}
