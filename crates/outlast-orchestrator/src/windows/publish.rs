//! What becomes of an artifact: it is stored, and goes through every subscription that it matches.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use outlast_core::{
    Artifact, ArtifactTag, Cause, Entity, Error, Key, MAX_ID_BYTES, Result, WindowKind,
    WindowStatus,
};
use uuid::Uuid;

use super::engine::Engine;
use super::gate::{Arrival, Feed, fill_batch};
use super::matching::accepts;
use super::open::Open;
use super::payload::key_at;
use super::registered::BASE_OPS;
use super::retry::decided;
use super::step::{Step, skip_event};
use super::turns::Slot;
use super::work::{Held, Work};
use crate::telemetry;

/// How many tags an artifact may have.
const MOST_TAGS: usize = 16;

/// What became of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its id.
    pub artifact_id: String,
    /// The windows it changed.
    pub changes: Vec<WindowChange>,
    /// The subscriptions that it matched and that left it out, with the reason.
    pub skipped: Vec<(String, String)>,
}

/// What an artifact did to a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowChange {
    /// The window.
    pub window_id: String,
    /// The id of its subscription: `agent/name`.
    pub subscription: String,
    /// Which of the two it is.
    pub operation: WindowKind,
    /// Where it is now.
    pub status: WindowStatus,
}

impl Engine {
    fn check_running(&self) -> Result<()> {
        if self.shutdown.has_begun() {
            return Err(Error::closed("the engine of windows was shut down"));
        }
        Ok(())
    }

    /// Publishes, trying again when the store was not as remembered.
    pub(super) async fn publish(&self, artifact: Artifact, cause: Cause) -> Result<Published> {
        check(&artifact)?;
        let arrivals = self.arrivals(&artifact)?;
        decided(|| self.attempt(artifact.clone(), &arrivals, cause.clone())).await
    }

    fn arrivals(&self, artifact: &Artifact) -> Result<Vec<Arrival>> {
        let now = self.now();
        let mut arrivals = Vec::new();
        let mut cost = BASE_OPS;
        for subscription in &self.subscriptions {
            if subscription.is_ended() || !accepts(&subscription.spec, artifact, now) {
                continue;
            }
            let Some(type_place) = subscription.place_of(&artifact.type_name) else { continue };
            let key = match &subscription.spec.join {
                Some(join) => {
                    key_at(&artifact.payload, &join.by).map(|key| Some(Arc::<str>::from(key)))
                }
                None => Ok(None),
            };
            cost += subscription.cost();
            arrivals.push(Arrival { subscription: subscription.clone(), type_place, key });
        }
        if cost > self.limits.ops {
            let count = arrivals.len();
            return Err(Error::too_large(format!(
                "an artifact that {count} subscriptions wait for does not fit into one commit; \
                 nothing was published"
            )));
        }
        Ok(arrivals)
    }

    async fn attempt(
        &self,
        mut artifact: Artifact,
        arrivals: &[Arrival],
        cause: Cause,
    ) -> Result<Published> {
        let id = self.store().ids().uuid();
        let gated: Vec<Slot> = arrivals
            .iter()
            .filter(|arrival| arrival.subscription.is_gated())
            .map(|arrival| arrival.slot(id))
            .collect();
        let joins = self.turns(WindowKind::Join, &gated).await?;
        let mut held = Held { joins, batches: self.turns(WindowKind::Batch, &[]).await? };
        let mut work = Work::new(self, cause);
        let key = Key::new(Artifact::KIND, id.to_string())?;
        let mut published =
            Published { artifact_id: id.to_string(), changes: Vec::new(), skipped: Vec::new() };
        let mut feeds = Vec::new();
        self.check_running()?;
        // Whoever ends a subscription takes the turns after it says so.
        for arrival in arrivals.iter().filter(|arrival| !arrival.subscription.is_ended()) {
            match self.pass_gate(&mut work, &mut held, arrival, id) {
                Ok(feed) => feeds.extend(feed?),
                Err(why) => {
                    work.draft.report(&skip_event(&arrival.subscription, key.clone(), why))?;
                    published.skipped.push((arrival.subscription.id.clone(), why.to_owned()));
                }
            }
        }
        let slots: Vec<Slot> = feeds.iter().map(|feed| Slot::batch(&feed.subscription)).collect();
        held.batches = self.turns(WindowKind::Batch, &slots).await?;
        self.check_running()?;
        // It may have taken a while until it was our turn.
        work.now = self.now();
        for feed in feeds.into_iter().filter(Feed::may_enter) {
            fill_batch(&mut work, &mut held, feed);
        }
        artifact.created_at = work.now;
        write_artifact(&mut work, id, &artifact)?;
        published.changes = changes(&work.steps);
        work.commit(&mut held).await?;
        let skipped = published.skipped.len() as u64;
        self.load.skipped.fetch_add(skipped, Ordering::Relaxed);
        metrics::counter!(telemetry::WINDOWS_SKIPPED).increment(skipped);
        Ok(published)
    }
}

fn write_artifact(work: &mut Work<'_>, id: Uuid, artifact: &Artifact) -> Result<()> {
    let id = id.to_string();
    work.draft.create(&id, artifact)?;
    for tag in &artifact.tags {
        let row = ArtifactTag { tag: tag.clone(), artifact_id: id.clone() };
        work.draft.create(&ArtifactTag::id_of(tag, &id), &row)?;
    }
    Ok(())
}

fn changes(steps: &[Step]) -> Vec<WindowChange> {
    let change = |step: &Step, open: &Open, status| WindowChange {
        window_id: open.id.to_string(),
        subscription: step.subscription.id.clone(),
        operation: step.operation,
        status,
    };
    let of_step = |step: &Step| {
        let ended = step.ended.iter().map(|(open, ending)| change(step, open, ending.status()));
        let rest = step.rest.iter().map(|open| change(step, open, WindowStatus::Waiting));
        ended.chain(rest).collect::<Vec<_>>()
    };
    steps.iter().flat_map(of_step).collect()
}

fn check(artifact: &Artifact) -> Result<()> {
    if artifact.type_name.is_empty() || artifact.type_name.len() > MAX_ID_BYTES {
        let message = format!("a type has a name of 1 to {MAX_ID_BYTES} bytes");
        return Err(Error::invalid(message));
    }
    if artifact.tags.len() > MOST_TAGS {
        let count = artifact.tags.len();
        return Err(Error::too_large(format!("{count} tags are over the limit of {MOST_TAGS}")));
    }
    if artifact.tags.iter().any(String::is_empty) {
        return Err(Error::invalid("a tag cannot be empty"));
    }
    Ok(())
}
