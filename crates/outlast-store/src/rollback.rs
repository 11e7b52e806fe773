//! Going back: an older version's content, or a checkpoint's, becomes the new version.

use outlast_core::{
    Action, Cause, Checkpoint, Entity, Error, ErrorKind, Expect, HistoryQuery, Key, Mismatch, Op,
    Put, Record, Result, Timestamp, Version,
};

use crate::collection::{missing, written};
use crate::secrets::{Redactor, is_marked};
use crate::{Collection, Store, Stored};

/// What going back did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The entity.
    pub key: Key,
    /// Its new version.
    pub version: Version,
    /// When it was written.
    pub at: Timestamp,
    /// The id of the checkpoint of what was there before, made in the same commit.
    pub checkpoint: String,
}

/// What to go back to.
#[derive(Clone, Copy, Debug)]
enum Goal<'a> {
    Version(u64),
    Checkpoint(&'a str),
}

/// Going back without a type for the kind, for programs that serve any.
impl Store {
    /// Makes the content of version `n` of an entity its new version, whatever was written since,
    /// with a checkpoint of what is there, in one commit. Queues with the
    /// [closures](Collection::update) on it and is tried again as they are.
    ///
    /// The new version has exactly the content, schema number and attributes of the old one, its
    /// status included: the status machine is not consulted, since going back is the point. A
    /// swarm that failed and goes back to `active` is active again, and one at work that goes back
    /// to a version in which it was completed is over. Only the record goes back: other entities,
    /// events and anything outside the store stay as they are, an agent's place in the counts of
    /// its swarm included.
    ///
    /// In the audit it is called `rollback`, and its metadata, besides what `cause` brings, names
    /// the version as `to_version` and the checkpoint as `checkpoint`.
    ///
    /// Errors, of which each leaves nothing behind: `NotFound` if the entity does not live,
    /// `VersionGone` if the version was never written, was pruned, or is a deletion, `Unsupported`
    /// for kinds that cannot be rolled back, as far as this program [knows](Store::kind) them,
    /// `TooLarge` for content too close to the limit to be put into a checkpoint,
    /// `RetriesExhausted`. Cancel safe: it happens whole or not at all.
    pub async fn rollback(&self, key: &Key, n: u64, cause: Cause) -> Result<Restored> {
        let (restored, _) = self.go_back(key, Goal::Version(n), cause, |_, _| Ok(())).await?;
        Ok(restored)
    }

    /// The same, but only from the version with the number `expected`: `Conflict` if the entity is
    /// at another, and nothing is written, also where the [`locking`](crate::StoreOptions::locking)
    /// is off.
    pub async fn rollback_from(
        &self,
        key: &Key,
        expected: u64,
        n: u64,
        cause: Cause,
    ) -> Result<Restored> {
        let is_expected = |present: &Record, _: &Record| match present.version {
            version if version.n == expected => Ok(()),
            version => Err(Error::conflict(Mismatch {
                key: key.clone(),
                expected: Some(Version::new(version.epoch, expected)),
                actual: Some(version),
            })),
        };
        let (restored, _) = self.go_back(key, Goal::Version(n), cause, is_expected).await?;
        Ok(restored)
    }

    /// Makes the content of a checkpoint the new version of its entity, as
    /// [`rollback`](Store::rollback) does with an older version's, also when that version was
    /// pruned. In the audit it is called `restore`, and its metadata names the checkpoint as
    /// `restored` and that of what was there as `checkpoint`.
    ///
    /// `NotFound` if there is no such checkpoint, or its entity does not live; otherwise errors
    /// and cancel safety as there.
    pub async fn restore(&self, checkpoint: &str, cause: Cause) -> Result<Restored> {
        let key = self.kind::<Checkpoint>().get(checkpoint).await?.of.clone();
        let (restored, _) =
            self.go_back(&key, Goal::Checkpoint(checkpoint), cause, |_, _| Ok(())).await?;
        Ok(restored)
    }

    /// `check` sees what is there and what would take its place, before it does.
    async fn go_back(
        &self,
        key: &Key,
        goal: Goal<'_>,
        cause: Cause,
        check: impl Fn(&Record, &Record) -> Result<()>,
    ) -> Result<(Restored, Record)> {
        if !self.inner.known.can_roll_back(&key.kind) {
            return Err(Error::unsupported(format!(
                "{key} cannot be rolled back: a {} mirrors something that would not go back with it",
                key.kind
            )));
        }
        let _turn = self.inner.locks.lock(key).await;
        let mut tries = 0;
        loop {
            let present = self.record(key).await?.ok_or_else(|| missing(key))?;
            let past = self.past(&present, goal).await?;
            check(&present, &past)?;
            match self.replace_by(present, past, goal, cause.clone()).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    self.inner.options.retry.pause(&mut tries, error).await?;
                }
                other => return other,
            }
        }
    }

    /// What is gone back to.
    async fn past(&self, present: &Record, goal: Goal<'_>) -> Result<Record> {
        let key = present.key.clone();
        match goal {
            Goal::Version(n) => {
                // Two epochs may have used one number: the later one is what people saw last.
                let query = HistoryQuery::version(key.clone(), n);
                let query = HistoryQuery { newest_first: true, ..query };
                let found = self.history(&query).await?.items.pop().transpose()?;
                let past = found.and_then(|past| past.into_record(present.transient.clone()));
                past.ok_or_else(|| {
                    let message = format!("{key} has no version {n} to go back to");
                    Error::new(ErrorKind::VersionGone, message)
                })
            }
            Goal::Checkpoint(id) => {
                let checkpoint = self.kind::<Checkpoint>().get(id).await?.into_value();
                let Checkpoint { schema, attrs, data: state, .. } = checkpoint;
                Ok(Record { schema, attrs, state, ..present.clone() })
            }
        }
    }

    async fn replace_by(
        &self,
        present: Record,
        past: Record,
        goal: Goal<'_>,
        cause: Cause,
    ) -> Result<(Restored, Record)> {
        let key = present.key.clone();
        let (action, name, value, reason) = match goal {
            Goal::Version(n) => {
                (Action::rollback(), "to_version", n.into(), Checkpoint::BEFORE_ROLLBACK)
            }
            Goal::Checkpoint(id) => {
                (Action::restore(), "restored", id.into(), Checkpoint::BEFORE_RESTORE)
            }
        };
        let mut draft = self.draft();
        draft.cause(cause.called(action)).op(Op::Put(Put {
            key: key.clone(),
            expect: Expect::At(present.version),
            schema: past.schema,
            attrs: past.attrs.clone(),
            state: past.state.clone(),
        }));
        if is_marked(&past.attrs) {
            draft.redact_by(self.inner.known.redactor(&key.kind).unwrap_or(Redactor::HIDE));
        }
        let checkpoint = self.save(&mut draft, present, reason)?;
        draft.add_metadata([(name, value), ("checkpoint", checkpoint.as_str().into())])?;
        let receipt = draft.commit().await?;
        let (version, at) = (written(&receipt, &key)?, receipt.at);
        let record = Record { version, updated_at: at, ..past };
        Ok((Restored { key, version, at, checkpoint }, record))
    }
}

impl<T: Entity> Collection<T> {
    /// Makes the content of version `n` the new version, whatever was written since, with a
    /// checkpoint of what is there, in one commit, as [`Store::rollback`] does and says.
    ///
    /// `Unsupported` for kinds that cannot be rolled back, and besides the errors named there
    /// `Incompatible` or `Corrupt` if this program cannot read that version. The present content
    /// need not be readable.
    pub async fn rollback_to(&self, id: &str, n: u64) -> Result<Stored<T>> {
        self.go_back(&self.key(id)?, Goal::Version(n)).await
    }

    /// Makes the content of a checkpoint of an entity of this kind its new version, as
    /// [`Store::restore`] does and says. `Invalid` if the checkpoint is of another kind, and
    /// `Incompatible` or `Corrupt` if this program cannot read it.
    pub async fn restore(&self, checkpoint: &str) -> Result<Stored<T>> {
        let key = self.store.kind::<Checkpoint>().get(checkpoint).await?.of.clone();
        if key.kind.as_str() != T::KIND {
            return Err(Error::invalid(format!(
                "checkpoint {checkpoint} is of {key}, which is no {}",
                T::KIND
            )));
        }
        self.go_back(&key, Goal::Checkpoint(checkpoint)).await
    }

    async fn go_back(&self, key: &Key, goal: Goal<'_>) -> Result<Stored<T>> {
        // Decoded before it is written, so that nothing unreadable becomes the present.
        let readable = |_: &Record, past: &Record| Stored::<T>::decode(past.clone()).map(drop);
        let (_, record) = self.store.go_back(key, goal, self.cause.clone(), readable).await?;
        Stored::decode(record)
    }
}
