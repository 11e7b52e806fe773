//! The planner: every rule of the contract, in one pure function.
//!
//! Backends fetch what it asks for and write what it decides; none of them knows a rule. That is
//! what makes them behave alike, and what lets one decision be written to two stores.

use std::collections::HashMap;
use std::time::Duration;

use crate::write::{Commit, Head, Outcome, ReadSet, Receipt, Terms, View, WriteSet};
use crate::{
    Action, Attributes, Batch, Durability, Entry, Epoch, Error, Expect, Key, NewEntry, Op, Put,
    Result, Revision, Seq, StreamName, Timestamp, Version, Versioned,
};

/// How long a commit id is remembered for certain. An unknown id older than this is refused.
pub const REMEMBERED_FOR: Duration = Duration::from_hours(1);

/// What a plan needs besides the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanContext {
    /// The time of the commits.
    pub now: Timestamp,
    /// Who numbers new versions.
    pub epoch: Epoch,
    /// What the store will give.
    pub durability: Durability,
}

/// What was decided: the answer to each batch once the write set is applied.
#[derive(Debug)]
pub struct Plan {
    /// One answer per batch, in their order.
    pub outcomes: Vec<Result<Outcome>>,
    /// What to write first.
    pub set: WriteSet,
}

/// What must be read before these batches can be planned.
pub fn read_set<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> ReadSet {
    let mut reads = ReadSet::default();
    for batch in batches {
        reads.commits.insert(batch.id);
        for op in &batch.ops {
            reads.keys.extend(op.key().cloned());
            reads.streams.extend(op.stream().cloned());
            if let Op::MergeRecord { record, history } = op {
                let key = &record.key;
                let older = history.iter().chain([&**record]);
                reads.versions.extend(older.map(|version| (key.clone(), version.version)));
            }
        }
    }
    reads
}

/// Decides what each batch does, in order, on top of what the ones before it did.
///
/// The batches must have passed [`Batch::validate`], and the view must hold at least their
/// [`read_set`].
pub fn plan<'a>(
    view: View,
    batches: impl IntoIterator<Item = &'a Batch>,
    context: &PlanContext,
) -> Plan {
    let set = WriteSet { base: view.revision, term: view.term, ..WriteSet::default() };
    let mut planner = Planner { view, context: *context, set, touches: HashMap::new() };
    let outcomes = batches.into_iter().map(|batch| planner.decide(batch)).collect();
    let mut touches: Vec<_> = planner.touches.into_iter().collect();
    touches.sort_by(|a, b| a.0.cmp(&b.0));
    planner.set.touches = touches;
    Plan { outcomes, set: planner.set }
}

struct Planner {
    view: View,
    context: PlanContext,
    set: WriteSet,
    touches: HashMap<Key, Attributes>,
}

impl Planner {
    fn decide(&mut self, batch: &Batch) -> Result<Outcome> {
        let given = self.given(batch)?;
        if batch.durability > given {
            return Err(Error::unsupported(format!(
                "the store gives {given} commits, the batch accepts no less than {}",
                batch.durability
            )));
        }
        let digest = batch.digest();
        if let Some(outcome) = self.replayed(batch, digest, given)? {
            return Ok(outcome);
        }
        if let Some((key, expected)) = batch.ops.iter().find_map(|op| self.unmet(op)) {
            let actual = self.living(&key).map(|head| head.version);
            return Ok(Outcome::Conflict { key, expected, actual });
        }
        let commit = self.commit(batch, digest)?;
        if is_empty(&commit) {
            self.touch(batch);
            return Ok(Outcome::Applied(Self::receipt(&commit, self.view.revision, given)));
        }
        let receipt = Self::receipt(&commit, commit.revision, given);
        self.adopt(&commit);
        self.touch(batch);
        self.set.commits.push(commit);
        Ok(Outcome::Applied(receipt))
    }

    /// What the batch is going to survive, if everything it names may be named now.
    fn given(&self, batch: &Batch) -> Result<Durability> {
        if self.view.unsettled.contains(&batch.id) {
            let id = batch.id;
            return Err(Error::indeterminate(format!(
                "nobody can say yet whether commit {id} was applied; repeat it with the same id"
            )));
        }
        let usual = self.context.durability;
        if self.view.terms.is_empty() {
            return Ok(usual);
        }
        let mut given = None;
        for op in &batch.ops {
            let Some(name) = op.key().or_else(|| op.stream()) else { continue };
            let durability = match self.view.terms.get(name) {
                Some(Terms::Refuses(kind, why)) => return Err(Error::new(*kind, why.clone())),
                Some(Terms::Gives(durability)) => *durability,
                None => usual,
            };
            if !matches!(op, Op::Assert { .. }) {
                given = Some(given.map_or(durability, |given: Durability| given.min(durability)));
            }
        }
        Ok(given.unwrap_or(usual))
    }

    fn replayed(
        &self,
        batch: &Batch,
        digest: u64,
        durability: Durability,
    ) -> Result<Option<Outcome>> {
        let id = batch.id;
        if let Some(known) = self.view.commits.get(&id) {
            if known.digest != digest {
                return Err(Error::invalid(format!(
                    "commit id {id} was used for another batch; draw a new id for each batch"
                )));
            }
            return Ok(Some(Outcome::Replayed(Receipt {
                id,
                revision: known.revision,
                at: known.at,
                durability,
                versions: known.versions.clone(),
                appended: known.appended.clone(),
            })));
        }
        let oldest = self.context.now.minus(REMEMBERED_FOR).as_millis();
        if id.millis() < oldest {
            let seconds = REMEMBERED_FOR.as_secs();
            return Err(Error::invalid(format!(
                "commit id {id} is older than the {seconds} seconds a store remembers; \
                 read what was written and draw a new id"
            )));
        }
        Ok(None)
    }

    /// The first expectation of an operation that does not hold.
    fn unmet(&self, op: &Op) -> Option<(Key, Expect)> {
        let (key, expect) = match op {
            Op::Put(Put { key, expect, .. }) | Op::Assert { key, expect } => (key, *expect),
            Op::Delete { key, expect } if *expect != Expect::Any => (key, *expect),
            Op::Delete { key, .. } | Op::Touch { key, .. } => (key, Expect::Live),
            Op::Append { .. } | Op::MergeRecord { .. } | Op::MergeEntries { .. } => return None,
        };
        let head = self.living(key);
        let holds = match expect {
            Expect::Any => true,
            Expect::Absent => head.is_none() && !matches!(op, Op::Delete { .. }),
            Expect::Live => head.is_some(),
            Expect::At(version) => head.is_some_and(|head| head.version == version),
            Expect::Status(states) => {
                head.is_some_and(|head| head.status.as_ref().is_none_or(|s| states.contains(&&**s)))
            }
        };
        (!holds).then(|| (key.clone(), expect))
    }

    fn living(&self, key: &Key) -> Option<&Head> {
        self.view.heads.get(key).filter(|head| head.live)
    }

    fn commit(&self, batch: &Batch, digest: u64) -> Result<Commit> {
        let mut commit = Commit {
            revision: self.view.revision.next(),
            id: batch.id,
            digest,
            at: self.context.now,
            versions: Vec::new(),
            history: Vec::new(),
            entries: Vec::new(),
        };
        for op in &batch.ops {
            match op {
                Op::Put(put) => commit.versions.push(self.put(put, batch)),
                Op::Delete { key, .. } => commit.versions.push(self.tombstone(key, batch)),
                Op::Append { stream, entries } => self.append(stream, entries, &mut commit),
                Op::MergeRecord { record, history } => {
                    self.merge_record(record, history, &mut commit)?;
                }
                Op::MergeEntries { stream, entries } => {
                    self.merge_entries(stream, entries, &mut commit)?;
                }
                Op::Assert { .. } | Op::Touch { .. } => {}
            }
        }
        Ok(commit)
    }

    fn put(&self, put: &Put, batch: &Batch) -> Versioned {
        let head = self.view.heads.get(&put.key);
        let mut version = self.next_version(&put.key, batch);
        version.schema = put.schema;
        version.attrs = put.attrs.clone();
        version.state = Some(put.state.clone());
        version.action = batch.cause.action.clone().unwrap_or_else(|| match head {
            Some(head) if head.live => {
                if head.status == Head::of(&version).status {
                    Action::update()
                } else {
                    Action::status_change()
                }
            }
            _ => Action::create(),
        });
        version
    }

    fn tombstone(&self, key: &Key, batch: &Batch) -> Versioned {
        let mut version = self.next_version(key, batch);
        version.action = batch.cause.action.clone().unwrap_or_else(Action::delete);
        version
    }

    fn next_version(&self, key: &Key, batch: &Batch) -> Versioned {
        let head = self.view.heads.get(key).map(|head| head.version);
        let epoch = head.map_or(self.context.epoch, |head| head.epoch.max(self.context.epoch));
        let n = head.map_or(1, |head| head.n + 1);
        let cause = &batch.cause;
        Versioned {
            key: key.clone(),
            version: Version { epoch, n },
            revision: self.view.revision.next(),
            commit: batch.id,
            at: self.context.now,
            action: Action::update(),
            actor: cause.actor.clone(),
            reason: cause.reason.clone(),
            metadata: cause.metadata.clone(),
            schema: 0,
            attrs: Attributes::new(),
            state: None,
        }
    }

    fn append(&self, stream: &StreamName, entries: &[NewEntry], commit: &mut Commit) {
        let last = self.view.streams.get(stream).map_or(0, |seq| seq.0);
        let at = commit.at;
        commit.entries.extend(entries.iter().zip(last + 1..).map(|(entry, seq)| Entry {
            stream: stream.clone(),
            seq: Seq(seq),
            at: entry.at.unwrap_or(at),
            attrs: entry.attrs.clone(),
            data: entry.data.clone(),
        }));
    }

    fn merge_record(
        &self,
        record: &Versioned,
        history: &[Versioned],
        commit: &mut Commit,
    ) -> Result<()> {
        let head = self.view.heads.get(&record.key).map(|head| head.version);
        let newer = head.is_none_or(|head| record.version > head);
        if newer {
            commit.versions.push(Versioned { revision: commit.revision, ..record.clone() });
        }
        let beneath = history.iter().chain((!newer).then_some(record));
        for version in beneath {
            match self.view.versions.get(&(record.key.clone(), version.version)) {
                None => {
                    commit.history.push(Versioned { revision: Revision::ZERO, ..version.clone() });
                }
                Some(stored) if *stored == version.checksum() => {}
                Some(_) => return Err(diverged(&record.key, version.version)),
            }
        }
        Ok(())
    }

    fn merge_entries(
        &self,
        stream: &StreamName,
        entries: &[Entry],
        commit: &mut Commit,
    ) -> Result<()> {
        let last = self.view.streams.get(stream).map_or(0, |seq| seq.0);
        let first = entries.first().map_or(0, |entry| entry.seq.0);
        if last > 0 && first > last + 1 {
            return Err(Error::invalid(format!(
                "{stream} ends at {last}; entries from {first} on would leave a gap"
            )));
        }
        commit.entries.extend(entries.iter().filter(|entry| entry.seq.0 > last).cloned());
        Ok(())
    }

    fn receipt(commit: &Commit, revision: Revision, durability: Durability) -> Receipt {
        let remembered = commit.remembered();
        Receipt {
            id: commit.id,
            revision,
            at: commit.at,
            durability,
            versions: remembered.versions,
            appended: remembered.appended,
        }
    }

    /// Makes the view what it will be once the commit is written.
    fn adopt(&mut self, commit: &Commit) {
        self.view.revision = commit.revision;
        self.view.commits.insert(commit.id, commit.remembered());
        for version in &commit.versions {
            if !version.is_live() {
                self.touches.remove(&version.key);
            }
            self.view.heads.insert(version.key.clone(), Head::of(version));
        }
        for version in commit.versions.iter().chain(&commit.history) {
            let place = (version.key.clone(), version.version);
            self.view.versions.insert(place, version.checksum());
        }
        for entry in &commit.entries {
            self.view.streams.insert(entry.stream.clone(), entry.seq);
        }
    }

    fn touch(&mut self, batch: &Batch) {
        for op in &batch.ops {
            if let Op::Touch { key, attrs } = op {
                let touched = self.touches.entry(key.clone()).or_default();
                touched.extend(attrs.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
    }
}

/// Whether a commit would leave nothing behind: only touches, or merges that brought nothing new.
fn is_empty(commit: &Commit) -> bool {
    commit.versions.is_empty() && commit.history.is_empty() && commit.entries.is_empty()
}

fn diverged(key: &Key, version: Version) -> Error {
    Error::new(
        crate::ErrorKind::Diverged,
        format!("{key} has other content at version {version} here; compare the two stores"),
    )
}
