//! What becomes of an artifact: it is stored, and goes through every subscription that it matches.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use outlast_core::{
    Artifact, ArtifactTag, Cause, Entity, Error, ErrorKind, FlushReason, Key, MAX_ID_BYTES, Result,
    Timestamp, WindowKind, WindowStatus,
};
use uuid::Uuid;

use super::engine::Engine;
use super::matching::accepts;
use super::open::{Arriving, Open};
use super::payload::key_at;
use super::registered::{BASE_OPS, Registered};
use super::step::{Ending, Step, describe, skip_event};
use super::turns::Slot;
use super::work::{Held, Work};
use crate::telemetry;

/// How often a change is decided anew when the store was not as remembered.
const TRIES: u32 = 5;

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

/// An artifact on its way into one subscription.
struct Arrival {
    subscription: Arc<Registered>,
    type_place: usize,
    key: Result<Option<Arc<str>>, &'static str>,
}

impl Arrival {
    /// Where it waits for others. What waits for no others has a place of its own.
    fn slot(&self, artifact: Uuid) -> Slot {
        let is_alone = self.subscription.needed == 1 && self.subscription.spec.join.is_none();
        let key = match &self.key {
            Ok(_) if is_alone => Some(artifact.to_string().into()),
            Ok(key) => key.clone(),
            Err(_) => None,
        };
        Slot::join(&self.subscription, key)
    }
}

/// What comes out of a subscription's gate and goes into its batch.
pub(super) struct Feed {
    pub(super) subscription: Arc<Registered>,
    arriving: Arriving,
}

impl Feed {
    /// Whether it is let into the batch: what came through a gate is, since that was said under
    /// the turn of the gate.
    fn may_enter(&self) -> bool {
        self.subscription.is_gated() || !self.subscription.is_ended()
    }
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
        let mut tries = 1;
        loop {
            match self.attempt(artifact.clone(), &arrivals, cause.clone()).await {
                Err(error) if tries < TRIES && is_overtaken(&error) => tries += 1,
                other => return other,
            }
        }
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

    /// Lets an artifact into the join or the gate of a subscription. What comes out goes into the
    /// batch, if there is one. The outer error says why the artifact is left out.
    fn pass_gate(
        &self,
        work: &mut Work<'_>,
        held: &mut Held,
        arrival: &Arrival,
        artifact: Uuid,
    ) -> Result<Result<Option<Feed>>, &'static str> {
        let subscription = &arrival.subscription;
        let slot = arrival.slot(artifact);
        let mut seq = 0;
        if slot.is_counted {
            let cells = held.joins.cells(&slot);
            seq = cells.map_or(0, |cells| cells.sequence(subscription.number)) + 1;
            work.count(subscription, seq);
            expire_passed(work, held, subscription, seq);
        }
        if let Err(why) = &arrival.key {
            return Err(why);
        }
        let arriving = Arriving {
            type_place: Some(arrival.type_place),
            artifacts: Box::new([artifact]),
            at: work.now,
            seq,
        };
        if !subscription.is_gated() {
            return Ok(Ok(Some(Feed { subscription: subscription.clone(), arriving })));
        }
        Ok(self.fill_join(work, held, slot, Feed { subscription: subscription.clone(), arriving }))
    }

    fn fill_join(
        &self,
        work: &mut Work<'_>,
        held: &mut Held,
        slot: Slot,
        feed: Feed,
    ) -> Result<Option<Feed>> {
        let ids = self.store().ids().clone();
        let Feed { subscription, arriving } = feed;
        let (at, seq) = (arriving.at, arriving.seq);
        let key = slot.key.clone().filter(|_| subscription.spec.join.is_some());
        // It was begun already if this very artifact ended the window before.
        let begun = work
            .steps
            .iter()
            .position(|step| step.operation == WindowKind::Join && step.slot == slot);
        let (mut step, open) = match begun {
            Some(place) => (work.steps.remove(place), None),
            None => Step::begin(&mut held.joins, WindowKind::Join, slot, &subscription),
        };
        let open = match open {
            Some(open) if open.is_over(work.now) => {
                step.ended.push((open, Ending::Expired));
                None
            }
            open => open,
        };
        let mut open =
            open.unwrap_or_else(|| Open::new(&subscription, WindowKind::Join, key, &*ids));
        open.push(arriving, &*ids);
        if !open.is_complete() {
            let (count, most) = (open.items.len(), self.options.most_items);
            let what = describe(&open);
            step.rest = Some(open);
            work.steps.push(step);
            if count > most {
                return Err(self.load.refuse(format!(
                    "{what} holds {most} artifacts that wait for others; nothing was published, \
                     try again when some have come or it has ended"
                )));
            }
            return Ok(None);
        }
        Ok(self.complete_join(work, step, open, (at, seq)))
    }

    /// Hands a complete join over, or on into the batch.
    pub(super) fn complete_join(
        &self,
        work: &mut Work<'_>,
        mut step: Step,
        open: Open,
        (at, seq): (Timestamp, u64),
    ) -> Option<Feed> {
        let subscription = step.subscription.clone();
        let (complete, rest) = open.split(&**self.store().ids());
        step.rest = rest;
        let artifacts = complete.in_order();
        let has_batch = subscription.spec.batch.is_some();
        let ending = if has_batch { Ending::Fed } else { Ending::Dispatched(None) };
        step.ended.push((complete, ending));
        work.steps.push(step);
        let arriving = Arriving { type_place: None, artifacts, at, seq };
        has_batch.then_some(Feed { subscription, arriving })
    }
}

/// Ends the windows that are passed now that one more artifact came.
fn expire_passed(work: &mut Work<'_>, held: &mut Held, subscription: &Arc<Registered>, seq: u64) {
    let any = Slot::join(subscription, None);
    let passed = held.joins.cells(&any).map(|cells| cells.passed(subscription, seq));
    for slot in passed.into_iter().flatten() {
        let (mut step, open) = Step::begin(&mut held.joins, WindowKind::Join, slot, subscription);
        step.ended.extend(open.map(|open| (open, Ending::Expired)));
        work.steps.push(step);
    }
}

/// Puts what came out of a gate into its batch, and hands the batch over if it is full or over.
pub(super) fn fill_batch(work: &mut Work<'_>, held: &mut Held, feed: Feed) {
    let (ids, most) = (work.ids(), work.most_handed_over());
    let Feed { subscription, mut arriving } = feed;
    arriving.at = work.now;
    let slot = Slot::batch(&subscription);
    let (mut step, open) = Step::begin(&mut held.batches, WindowKind::Batch, slot, &subscription);
    let open = match open {
        Some(open) if open.is_over(work.now) => {
            step.ended.push((open, Ending::Dispatched(Some(FlushReason::Timeout))));
            None
        }
        open => open,
    };
    let mut open = open.unwrap_or_else(|| Open::new(&subscription, WindowKind::Batch, None, &*ids));
    open.push(arriving, &*ids);
    if open.is_full(most) {
        step.ended.push((open, Ending::Dispatched(Some(FlushReason::Size))));
    } else {
        step.rest = Some(open);
    }
    work.steps.push(step);
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

/// Whether the store was not as remembered.
pub(super) fn is_overtaken(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Exists | ErrorKind::NotFound)
}
