//! Swarms: half made and half scaled ones are at work again, and marked.

use outlast_core::{Agent, AttrName, Filter, Page, Result, Status, Swarm, SwarmStatus};
use outlast_store::Stored;
use serde_json::json;

use super::policy::Policy;
use super::report::Outcome;
use super::scene::{Recoverable, Scene, Verdict, meaningless, told};

/// How many agents an event names.
const MOST_NAMED: usize = 50;

impl Recoverable for Swarm {
    async fn settle(scene: &Scene<'_>, stored: &Stored<Self>, policy: Policy) -> Result<Verdict> {
        match policy {
            Policy::Keep => Ok(Verdict::left(Outcome::Unchanged)),
            Policy::Activate => activate(scene, stored).await,
            Policy::Fail => fail(scene, stored),
            _ => Err(meaningless(&stored.key, policy)),
        }
    }
}

async fn activate(scene: &Scene<'_>, stored: &Stored<Swarm>) -> Result<Verdict> {
    let found = stored.status.as_str();
    let (live, count) = agents(scene, stored.id()).await?;
    let wanted = stored.target_agents.unwrap_or(stored.config.initial_agents);
    let missing = u64::from(wanted).saturating_sub(count);
    let next = Swarm { status: SwarmStatus::Active, needs_reconcile: true, ..(**stored).clone() };
    let message = format!(
        "{} was {found} when the orchestrator ended: it is active, with {count} agents of {wanted}",
        stored.key
    );
    let details = json!({
        "found": found, "wanted": wanted, "present": count, "missing": missing, "agents": live,
    });
    let mut draft = scene.draft(format!("it was {found} when the orchestrator ended"));
    draft.replace(stored, &next)?;
    draft.report(&told(&stored.key, message, details))?;
    Ok(Verdict::change(Outcome::Resumed, draft))
}

/// The agents of a swarm that are not over: the first of them, and how many.
async fn agents(scene: &Scene<'_>, swarm_id: &str) -> Result<(Vec<String>, u64)> {
    let agents = scene.store.kind::<Agent>();
    let query = agents.query()?.filter(Filter::is(AttrName::group(), swarm_id));
    let counts = agents.count(&query, &[AttrName::status()]).await?;
    let is_open = |group: &[Option<outlast_core::AttrValue>]| match group {
        [Some(outlast_core::AttrValue::Text(text))] => {
            outlast_core::AgentStatus::parse(text).is_ok_and(|status| !status.is_settled())
        }
        _ => false,
    };
    let count = counts.groups.iter().filter(|(group, _)| is_open(group)).map(|(_, n)| n).sum();
    let page = Page::first(u32::try_from(2 * MOST_NAMED).unwrap_or(u32::MAX));
    let listed = agents.list(&outlast_core::Query { page, ..query }).await?;
    let open = listed.items.into_iter().flatten().filter(|agent| !agent.status.is_settled());
    Ok((open.map(|agent| agent.id().to_owned()).take(MOST_NAMED).collect(), count))
}

fn fail(scene: &Scene<'_>, stored: &Stored<Swarm>) -> Result<Verdict> {
    let error = "interrupted by orchestrator restart";
    let next = Swarm {
        status: SwarmStatus::Failed,
        error: Some(error.to_owned()),
        completed_at: stored.completed_at.or(Some(scene.now())),
        ..(**stored).clone()
    };
    let mut draft = scene.draft(error);
    draft.replace(stored, &next)?;
    let message = format!("{} was {}: {error}", stored.key, stored.status.as_str());
    draft.report(&told(&stored.key, message, json!({ "found": stored.status })))?;
    Ok(Verdict::change(Outcome::MarkedFailed, draft))
}
