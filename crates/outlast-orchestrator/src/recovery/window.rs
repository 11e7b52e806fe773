//! Joins and batches: what time has ended meanwhile. The rest is their engine's.

use std::time::Duration;

use outlast_core::{
    Dispatch, FlushReason, Result, Status, Timestamp, Window, WindowKind, WindowStatus,
};
use outlast_store::Stored;
use serde_json::json;
use xxhash_rust::xxh3::xxh3_128;

use super::policy::Policy;
use super::report::Outcome;
use super::scene::{Recoverable, Scene, Verdict, meaningless, told};

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

/// Whether its time is over. A join lives through the last moment of its window, a batch is handed
/// over in it.
fn is_over(window: &Window, now: Timestamp) -> bool {
    let last = match window.operation {
        WindowKind::Join => Duration::from_micros(1),
        WindowKind::Batch => Duration::ZERO,
    };
    window.window_end.is_some_and(|end| end.plus(last) <= now)
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

/// The name that a window has claimed.
fn claim_of(window: &Window) -> String {
    let group = Window::group_of(&window.agent_name, &window.subscription);
    let what = window.kind();
    match &window.correlation_key {
        None => format!("window/{group}/{what}"),
        Some(key) => format!("window/{group}/{what}/{:032x}", xxh3_128(key.as_bytes())),
    }
}
