//! Joins and batches: what time has ended meanwhile. The rest is their engine's.

use outlast_core::{
    Artifact, AttrName, Consumption, Dispatch, Filter, FlushReason, Page, Result, Status,
    Timestamp, Window, WindowItem, WindowKind, WindowStatus,
};
use outlast_store::Stored;
use serde_json::json;

use super::policy::Policy;
use super::report::Outcome;
use super::scene::{Recoverable, Scene, Verdict, meaningless, told};
use crate::windows::{claim_of, fires_at};

/// How many items are listed at once.
const PAGE: u32 = 128;

impl Recoverable for Window {
    fn kind(&self) -> &'static str {
        match self.operation {
            WindowKind::Join => "join",
            WindowKind::Batch => "batch",
        }
    }

    async fn settle(scene: &Scene<'_>, stored: &Stored<Self>, policy: Policy) -> Result<Verdict> {
        let now = scene.now();
        match policy {
            Policy::Keep => Ok(Verdict::left(Outcome::Unchanged)),
            Policy::Resume => Ok(Verdict::left(Outcome::Resumed)),
            Policy::Deadline if !is_over(stored, now) => Ok(Verdict::left(Outcome::Unchanged)),
            Policy::Deadline if stored.operation == WindowKind::Join => {
                let next = Window { finished_at: Some(now), ..(**stored).clone() };
                end(scene, stored, next, WindowStatus::Expired, Outcome::Expired).await
            }
            Policy::Deadline if !is_whole(scene, stored).await? => {
                Ok(Verdict::left(Outcome::Resumed))
            }
            Policy::Deadline => {
                let next = Window { dispatch: Some(hand_over(scene)), ..(**stored).clone() };
                end(scene, stored, next, WindowStatus::Dispatching, Outcome::Flushed).await
            }
            Policy::Orphan => {
                let error = Some("the orchestrator restarted".to_owned());
                let next = Window { error, ..(**stored).clone() };
                end(scene, stored, next, WindowStatus::Orphaned, Outcome::MarkedOrphaned).await
            }
            _ => Err(meaningless(&stored.key, policy)),
        }
    }
}

/// Whether its time is over.
fn is_over(window: &Window, now: Timestamp) -> bool {
    fires_at(window.operation, window.window_end).is_some_and(|over| over <= now)
}

/// Whether all that a batch holds is there and is still to be handed over. If not, its engine takes
/// it out first.
async fn is_whole(scene: &Scene<'_>, window: &Stored<Window>) -> Result<bool> {
    let items = scene.store.kind::<WindowItem>();
    let mut query = items.query()?.filter(Filter::is(AttrName::group(), window.id()));
    query.page = Page::first(PAGE);
    loop {
        let page = items.list(&query).await?;
        for item in page.items {
            for artifact in &item?.artifact_ids {
                if !is_left(scene, window, artifact).await? {
                    return Ok(false);
                }
            }
        }
        let Some(next) = page.next else { return Ok(true) };
        query.page = query.page.after(next);
    }
}

/// Whether an artifact is there, and the subscription has not consumed it.
async fn is_left(scene: &Scene<'_>, window: &Window, artifact: &str) -> Result<bool> {
    if scene.linked::<Artifact>(artifact).await?.found.is_none() {
        return Ok(false);
    }
    let consumptions = scene.store.kind::<Consumption>();
    let mut query = consumptions.query()?.filter(Filter::is(AttrName::group(), artifact));
    query.page = Page::first(PAGE);
    loop {
        let page = consumptions.list(&query).await?;
        for consumption in page.items {
            let consumption = consumption?;
            let any = consumption.subscription.as_ref();
            if consumption.consumer == window.agent_name
                && any.is_none_or(|name| *name == window.subscription)
            {
                return Ok(false);
            }
        }
        let Some(next) = page.next else { return Ok(true) };
        query.page = query.page.after(next);
    }
}

/// The hand-over of a batch, which its engine makes: it was not tried yet.
fn hand_over(scene: &Scene<'_>) -> Dispatch {
    Dispatch {
        id: scene.store.ids().uuid().to_string(),
        attempts: 0,
        next_attempt_at: None,
        reason: Some(FlushReason::Timeout),
        dispatched_at: scene.now(),
    }
}

async fn end(
    scene: &Scene<'_>,
    stored: &Stored<Window>,
    next: Window,
    status: WindowStatus,
    outcome: Outcome,
) -> Result<Verdict> {
    let next = Window { status, ..next };
    let mut draft = scene.draft("its time ended while no orchestrator ran");
    draft.replace(stored, &next)?;
    let problem = scene.give_up(&mut draft, &claim_of(stored), stored.id()).await?;
    let (found, now) = (stored.status.as_str(), status.as_str());
    let message = format!("{} {} was {found} and is {now}", stored.kind(), stored.id());
    let details = json!({
        "agent": stored.agent_name, "subscription": stored.subscription,
        "correlation_key": stored.correlation_key, "window_end": stored.window_end,
        "items": stored.items_collected,
    });
    draft.report(&told(&stored.key, message, details))?;
    Ok(Verdict::change(outcome, draft).with(problem))
}
