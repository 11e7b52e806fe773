//! Agents: those at work have failed, and their swarm counts them in the same commit.

use outlast_core::{Agent, AgentStatus, Result, Status, Swarm};
use outlast_store::{Draft, Stored};
use serde_json::json;

use super::policy::Policy;
use super::report::Outcome;
use super::scene::{Linked, Recoverable, Scene, Verdict, meaningless, told};
use crate::swarm::{life, tally};

/// What is said of an agent that was at work.
pub(super) const INTERRUPTED: &str = "interrupted by orchestrator restart";

impl Recoverable for Agent {
    async fn settle(scene: &Scene<'_>, stored: &Stored<Self>, policy: Policy) -> Result<Verdict> {
        match policy {
            Policy::Keep => keep(scene, stored).await,
            Policy::Fail => fail(scene, stored).await,
            _ => Err(meaningless(&stored.key, policy)),
        }
    }
}

async fn keep(scene: &Scene<'_>, stored: &Stored<Agent>) -> Result<Verdict> {
    let mut verdict = Verdict::left(Outcome::Unchanged);
    if stored.status == AgentStatus::Pending {
        let swarm = owner::<Swarm>(scene, stored.swarm_id.as_deref()).await?;
        let parent = owner::<Agent>(scene, stored.parent_id.as_deref()).await?;
        // The one it names counts, and its swarm before its parent.
        verdict.is_orphan = !swarm.or(parent).unwrap_or(false);
    }
    Ok(verdict)
}

/// Whether the owner it names is there; `None` if it names none. One that cannot be read is there.
async fn owner<T: outlast_core::Entity>(
    scene: &Scene<'_>,
    id: Option<&str>,
) -> Result<Option<bool>> {
    let Some(id) = id else { return Ok(None) };
    let Linked { found, problem } = scene.linked::<T>(id).await?;
    Ok(Some(found.is_some() || problem.is_some()))
}

async fn fail(scene: &Scene<'_>, stored: &Stored<Agent>) -> Result<Verdict> {
    let moved = life::moved(stored, AgentStatus::Failed, scene.now());
    let next = Agent { last_error: Some(INTERRUPTED.to_owned()), ..moved };
    let mut draft = scene.draft(INTERRUPTED);
    draft.replace(stored, &next)?;
    let found = stored.status.as_str();
    let message = format!("{} was {found}: {INTERRUPTED}", stored.key);
    draft.report(&told(&stored.key, message, json!({ "found": found })))?;
    let problem = match &stored.swarm_id {
        Some(swarm_id) => count(scene, &mut draft, stored.status, swarm_id).await?,
        None => None,
    };
    Ok(Verdict::change(Outcome::MarkedFailed, draft).with(problem))
}

/// Counts one more failed agent, which may be the last. What is wrong with the swarm is answered.
async fn count(
    scene: &Scene<'_>,
    draft: &mut Draft,
    found: AgentStatus,
    swarm_id: &str,
) -> Result<Option<String>> {
    let Linked { found: swarm, problem } = scene.linked::<Swarm>(swarm_id).await?;
    let Some(swarm) = swarm else {
        return Ok(problem.or_else(|| Some(format!("its swarm {swarm_id} does not exist"))));
    };
    let mut next = tally::counted(&swarm, Some(found), AgentStatus::Failed);
    // One that is to be compared with what it was asked to be may be about to get agents.
    let ended = if next.needs_reconcile {
        None
    } else {
        tally::conclude(&mut next, &swarm.key, &draft.batch().cause, scene.now())
    };
    draft.replace(&swarm, &next)?;
    if let Some(event) = ended {
        draft.report(&event)?;
    }
    Ok(None)
}
