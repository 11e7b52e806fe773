//! The least that a store has to do: remember what plans decided, and show it to the next.

use outlast_core::{
    Attributes, Batch, Cause, CommitId, Durability, Epoch, Expect, Head, Json, Key, NewEntry, Op,
    Outcome, PlanContext, Put, Receipt, Result, Timestamp, Version, View, WriteSet, plan,
};

/// Milliseconds since 1970 at which everything happens.
pub(crate) const NOW: u64 = 1_773_450_000_000;

pub(crate) fn context() -> PlanContext {
    PlanContext {
        now: Timestamp::from_micros(i64::try_from(NOW).unwrap() * 1000),
        epoch: Epoch(5),
        durability: Durability::Volatile,
    }
}

pub(crate) fn id(count: u64) -> CommitId {
    id_at(NOW, count)
}

pub(crate) fn id_at(millis: u64, count: u64) -> CommitId {
    let bits = (u128::from(millis) << 80) | (0x7 << 76) | (0b10 << 62) | u128::from(count);
    CommitId::new(uuid::Uuid::from_u128(bits)).unwrap()
}

pub(crate) fn key(id: &str) -> Key {
    Key::new("item", id).unwrap()
}

pub(crate) fn batch(count: u64, ops: impl IntoIterator<Item = Op>) -> Batch {
    Batch { ops: ops.into_iter().collect(), ..Batch::new(id(count), Cause::default()) }
}

pub(crate) fn put(id: &str, expect: Expect) -> Op {
    let state = Json::parse("1").unwrap();
    Op::Put(Put { key: key(id), expect, schema: 1, attrs: Attributes::new(), state })
}

pub(crate) fn delete(id: &str) -> Op {
    Op::Delete { key: key(id), expect: Expect::Live }
}

pub(crate) fn touch(id: &str, value: i64) -> Op {
    let name = outlast_core::AttrName::new("beat").unwrap();
    Op::Touch { key: key(id), attrs: Attributes::from([(name, value.into())]) }
}

pub(crate) fn append(id: &str, count: usize) -> Op {
    let entry = NewEntry { at: None, attrs: Attributes::new(), data: b"x".to_vec() };
    Op::Append { stream: key(id), entries: vec![entry; count] }
}

pub(crate) fn version(n: u64) -> Version {
    Version::new(context().epoch, n)
}

/// All there is, as one view.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct World(pub(crate) View);

impl World {
    /// Plans a group and remembers what it decided.
    pub(crate) fn group(&mut self, batches: &[Batch]) -> (Vec<Result<Outcome>>, WriteSet) {
        let plan = plan(self.0.clone(), batches, &context());
        self.remember(&plan.set);
        (plan.outcomes, plan.set)
    }

    /// Plans one batch that is no error.
    pub(crate) fn commit(&mut self, batch: &Batch) -> Outcome {
        self.group(std::slice::from_ref(batch)).0.remove(0).unwrap()
    }

    pub(crate) fn apply(&mut self, batch: &Batch) -> Receipt {
        match self.commit(batch) {
            Outcome::Applied(receipt) => receipt,
            other => panic!("{other:?} is not applied"),
        }
    }

    fn remember(&mut self, set: &WriteSet) {
        assert_eq!(set.base, self.0.revision);
        for commit in &set.commits {
            assert_eq!(commit.revision, self.0.revision.next(), "revisions have no gap");
            self.0.revision = commit.revision;
            self.0.commits.insert(commit.id, commit.remembered());
            for version in &commit.versions {
                self.0.heads.insert(version.key.clone(), Head::of(version));
            }
            for version in commit.versions.iter().chain(&commit.history) {
                let place = (version.key.clone(), version.version);
                self.0.versions.insert(place, version.checksum());
            }
            for entry in &commit.entries {
                self.0.streams.insert(entry.stream.clone(), entry.seq);
            }
        }
    }
}
