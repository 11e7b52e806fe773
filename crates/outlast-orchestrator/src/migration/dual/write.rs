//! Carrying out what the machine decides about a write.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use outlast_core::{
    Attributes, Commit, Durability, Error, Key, ReadSet, Result, Terms, WriteSet, Written,
};
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

use super::{Shared, Tally};
use crate::migration::control::{Control, Effect, Event, FarAnswer, Footprint, Link, Verdict};
use crate::migration::far::Sent;
use crate::migration::lineage;
use crate::telemetry;

type Turn = OwnedMutexGuard<()>;

/// Transient attributes of entities, under their names in the database.
type Touches = Vec<(Key, Attributes)>;

/// What to do for a write of memory alone, or the footprints of one of both stores.
type Begun = std::result::Result<Vec<Effect>, Vec<Footprint>>;

impl Shared {
    /// Writes a set. What the database takes part in goes on when the caller is gone.
    pub(crate) async fn write(self: &Arc<Self>, set: &WriteSet) -> Result<Written> {
        let turn = self.turn.clone().lock_owned().await;
        if self.closed.is_set() {
            return Err(Error::closed("the store was closed"));
        }
        let footprints = match self.begin_near(set, footprints(set)) {
            Ok(effects) => return self.write_near(set, &effects).await,
            Err(footprints) => footprints,
        };
        if self.near.fetch(&ReadSet::default()).await?.revision != set.base {
            return Ok(Written::Raced);
        }
        let label = self.label(&footprints);
        let effects = self.step(Event::Write(set.term, footprints));
        match effects.as_slice() {
            [Effect::Answer(_)] => return Ok(Written::Raced),
            [Effect::WriteNear] => return self.write_near(set, &effects).await,
            _ => {}
        }
        let written = self.start(turn, set, effects).await;
        let written = written.unwrap_or_else(|_| Err(self.cut_off(set)));
        written.map(|written| labelled(written, label))
    }

    /// A write stopped half way, as by a panic of an engine: what became of it is in doubt.
    fn cut_off(&self, set: &WriteSet) -> Error {
        let why = "a write stopped half way".to_owned();
        if !self.step(Event::Far(FarAnswer::Unknown(why.clone()))).is_empty() {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(set.clone());
        }
        Error::poisoned(why)
    }

    /// Tells the machine of a write in which only memory takes part; gives the footprints back
    /// if the database does, too.
    fn begin_near(&self, set: &WriteSet, commits: Vec<Footprint>) -> Begun {
        let mut control = self.control();
        if control.awaits_far(&commits) {
            return Err(commits);
        }
        Ok(control.step(Event::Write(set.term, commits)))
    }

    /// Memory takes it at once, so there is nothing that could be cut off, and it says itself
    /// whether it was planned on what is there. The link stays as it is.
    async fn write_near(&self, set: &WriteSet, effects: &[Effect]) -> Result<Written> {
        if effects != [Effect::WriteNear] {
            return Ok(Written::Raced);
        }
        let unfinished = Unfinished(self);
        let written = self.near.write(set).await;
        std::mem::forget(unfinished);
        let (base, is_behind, is_weak) = {
            let mut control = self.control();
            control.step(Event::Near(matches!(written, Ok(Written::Applied(_)))));
            let is_weak = set.commits.iter().any(|commit| is_weakened(&control, commit));
            (control.base(), control.has_dirty(), is_weak)
        };
        // Whoever ships does not rest before nothing is behind, so most need not be woken.
        if is_behind && self.rests.swap(false, Ordering::Relaxed) {
            self.work.notify_one();
        }
        if is_weak {
            Tally::add(&self.tally.volatile_acks, set.commits.len() as u64);
            metrics::counter!(telemetry::MIGRATION_VOLATILE).increment(set.commits.len() as u64);
        }
        written.map(|written| labelled(written, base))
    }

    /// Carries out a write in a task of its own. Not part of [`write`](Shared::write), whose
    /// future would have room for that of the task, too.
    fn start(
        self: &Arc<Self>,
        turn: Turn,
        set: &WriteSet,
        effects: Vec<Effect>,
    ) -> JoinHandle<Result<Written>> {
        let (shared, set) = (self.clone(), set.clone());
        tokio::spawn(async move { shared.carry_out(turn, &set, effects).await })
    }

    /// The most that any of the commits survives. What each of them does, its plan said.
    fn label(&self, commits: &[Footprint]) -> Durability {
        let control = self.control();
        let given = |key: &Key| match control.terms(key) {
            Terms::Gives(durability) => durability,
            Terms::Refuses(..) => Durability::Volatile,
        };
        let least = |commit: &Footprint| commit.keys.iter().map(&given).min();
        commits.iter().filter_map(least).max().unwrap_or_default()
    }

    async fn carry_out(
        self: Arc<Self>,
        turn: Turn,
        set: &WriteSet,
        effects: Vec<Effect>,
    ) -> Result<Written> {
        let mut refusal = None;
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Clean(keys) => {
                    let cleaned = self.clean(&keys).await;
                    effects.extend(self.step(Event::Cleaned(cleaned)));
                }
                Effect::WriteFar => {
                    let answer = match self.write_far(set).await {
                        Sent::Answer(answer) => answer,
                        Sent::Refused(error) => {
                            refusal = Some(error);
                            FarAnswer::Refused
                        }
                    };
                    if let FarAnswer::Fenced(_) = answer {
                        Tally::add(&self.tally.fenced_writes, 1);
                        metrics::counter!(telemetry::MIGRATION_FENCED).increment(1);
                    }
                    effects.extend(self.step(Event::Far(answer)));
                }
                Effect::WriteNear => {
                    let applied = matches!(self.near.write(set).await, Ok(Written::Applied(_)));
                    effects.extend(self.step(Event::Near(applied)));
                }
                Effect::Keep => {
                    *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(set.clone());
                }
                Effect::Answer(verdict) => {
                    self.work.notify_one();
                    drop(turn);
                    return match verdict {
                        Verdict::Applied => Ok(Written::Applied(Durability::Durable)),
                        Verdict::Raced => Ok(Written::Raced),
                        Verdict::Refused => {
                            Err(refusal.unwrap_or_else(|| Error::internal("refused")))
                        }
                    };
                }
            }
        }
        Err(Error::internal("a write without an answer"))
    }

    async fn write_far(&self, set: &WriteSet) -> Sent {
        let mut writer = self.far.lock().await;
        let Some((commits, touches)) = self.far_part(set) else {
            return Sent::Answer(FarAnswer::Late);
        };
        let answer = writer.write(commits, touches).await;
        let Sent::Answer(FarAnswer::Fenced(suspects)) = answer else { return answer };
        match self.reclaim(&mut writer, suspects).await {
            // We had written those rows ourselves: plan again under what they say.
            Ok(lost) if lost.is_empty() => Sent::Answer(FarAnswer::Late),
            Ok(lost) => Sent::Answer(FarAnswer::Fenced(lost)),
            Err(error) => Sent::Answer(FarAnswer::Away(error.kind(), error.to_string())),
        }
    }

    /// What of a set goes to the database, under its names there. `None` if the terms changed
    /// since that was decided, as when a shipment met another owner meanwhile.
    fn far_part(&self, set: &WriteSet) -> Option<(Vec<Commit>, Touches)> {
        let control = self.control();
        if !control.is_current() {
            return None;
        }
        let lineage = |key: &Key| control.course(&key.kind).map_or(0, |course| course.lineage);
        let goes = |key: &Key| control.is_sent(key);
        let commits = set.commits.iter().filter_map(|each| lineage::commit(each, goes, lineage));
        let touches = set.touches.iter().filter(|(key, _)| goes(key));
        let touches = touches.map(|(key, attrs)| (lineage::far(key, lineage(key)), attrs.clone()));
        Some((commits.collect(), touches.collect()))
    }
}

/// Whether memory alone has a commit that would be durable, were the database there.
fn is_weakened(control: &Control, commit: &Commit) -> bool {
    let mut keys = commit.versions.iter().map(|version| &version.key);
    *control.link() != Link::Up && keys.any(|key| control.phase(&key.kind).is_durable())
}

/// A write of the near store that nobody waits for any more: it is as if it had failed, and
/// whatever became of it is shipped.
struct Unfinished<'a>(&'a Shared);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.control().step(Event::Near(false));
    }
}

fn labelled(written: Written, label: Durability) -> Written {
    match written {
        Written::Applied(_) => Written::Applied(label),
        Written::Raced => Written::Raced,
    }
}

/// What the machine has to know of a set. Touches belong to no commit and come last, as one.
fn footprints(set: &WriteSet) -> Vec<Footprint> {
    let of = |commit: &Commit| {
        let mut keys: Vec<Key> =
            commit.versions.iter().chain(&commit.history).map(|v| v.key.clone()).collect();
        for entry in &commit.entries {
            if keys.last() != Some(&entry.stream) {
                keys.push(entry.stream.clone());
            }
        }
        Footprint { id: commit.id, keys }
    };
    let mut all: Vec<Footprint> = set.commits.iter().map(of).collect();
    if !set.touches.is_empty() {
        let keys = set.touches.iter().map(|(key, _)| key.clone()).collect();
        let id = outlast_core::CommitId::of(uuid::Uuid::nil());
        all.push(Footprint { id, keys });
    }
    all
}
