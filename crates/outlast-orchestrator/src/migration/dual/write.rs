//! Carrying out what the machine decides about a write.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use outlast_core::{
    Attributes, Commit, Durability, Error, Key, ReadSet, Result, WriteSet, Written,
};
use tokio::sync::OwnedMutexGuard;

use super::{Shared, Tally};
use crate::migration::control::{Effect, Event, FarAnswer, Footprint, Verdict};
use crate::migration::far::Sent;
use crate::migration::lineage;

type Turn = OwnedMutexGuard<()>;

impl Shared {
    /// Writes a set. What the database takes part in goes on when the caller is gone.
    pub(crate) async fn write(self: &Arc<Self>, set: &WriteSet) -> Result<Written> {
        let turn = self.turn.clone().lock_owned().await;
        if self.near.fetch(&ReadSet::default()).await?.revision != set.base {
            return Ok(Written::Raced);
        }
        let effects = self.step(Event::Write(set.term, footprints(set)));
        match effects.as_slice() {
            [Effect::Answer(_)] => return Ok(Written::Raced),
            // Memory takes it at once, so there is nothing that could be cut off.
            [Effect::WriteNear] => {
                let written = self.near.write(set).await;
                self.step(Event::Near(matches!(written, Ok(Written::Applied(_)))));
                self.work.notify_one();
                return written.map(|written| self.labelled(written));
            }
            _ => {}
        }
        let (shared, set) = (self.clone(), set.clone());
        let written = tokio::spawn(async move { shared.carry_out(turn, &set, effects).await });
        written.await.unwrap_or_else(|_| Err(Error::poisoned("a write stopped half way")))
    }

    /// What was planned says what is survived; this is the most of it.
    fn labelled(&self, written: Written) -> Written {
        match written {
            Written::Applied(_) => Written::Applied(Durability::Durable),
            Written::Raced => Written::Raced,
        }
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
        let sent = writer.write(commits, touches).await;
        if let Sent::Answer(FarAnswer::Fenced(lost)) = &sent {
            writer.session.forget(lost);
        }
        sent
    }

    /// What of a set goes to the database, under its names there. `None` if the terms changed
    /// since that was decided, as when a shipment met another owner meanwhile.
    fn far_part(&self, set: &WriteSet) -> Option<(Vec<Commit>, Vec<(Key, Attributes)>)> {
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
