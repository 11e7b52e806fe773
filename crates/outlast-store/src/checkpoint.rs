//! Saving what entities are now, apart from their history.

use outlast_core::{
    AttrName, AttrValue, Cause, Checkpoint, Entity, Error, Expect, Filter, Json, Key, Kind, Listed,
    MAX_REASON_BYTES, Op, Page, Put, Query, Record, Result,
};

use crate::collection::missing;
use crate::secrets::{Redactor, is_marked};
use crate::stored::put;
use crate::{Collection, Draft, Store, Stored};

/// What became of the entities that were to be saved.
#[derive(Clone, Debug, Default)]
pub struct Checkpointed {
    /// How many were.
    pub saved: u64,
    /// How many were not: their bytes are damaged, or too many for a checkpoint.
    pub failed: u64,
    /// What was wrong with the first of these.
    pub first: Option<Error>,
}

impl Checkpointed {
    fn fail(&mut self, error: Error) {
        self.failed += 1;
        self.first.get_or_insert(error);
    }
}

/// So many entities are read, and at most so many saved in one commit.
const AT_ONCE: u32 = 64;

/// What a checkpoint adds to the content in it.
const AROUND_CONTENT: usize = 16 << 10;

/// Checkpoints without a type for the kind, for programs that serve any.
impl Store {
    /// Saves what an entity is now, for a reason in at most [`MAX_REASON_BYTES`] bytes.
    ///
    /// `NotFound` if it does not live, `Corrupt` if its bytes are damaged, `TooLarge` if they are
    /// too close to the limit for a checkpoint to hold them, `Unsupported` for a checkpoint. Cancel
    /// safe: it is saved or not.
    pub async fn checkpoint(
        &self,
        key: &Key,
        reason: &str,
        cause: Cause,
    ) -> Result<Stored<Checkpoint>> {
        let record = self.record(key).await?.ok_or_else(|| missing(key))?;
        let mut draft = self.draft();
        let id = self.save(draft.cause(cause), record, reason)?;
        draft.commit().await?;
        self.kind().get(&id).await
    }

    /// Saves what every entity that matches is now: many in one commit, page by page, and waited
    /// for. One that cannot be saved does not keep the others from it. The order and page of the
    /// query do not matter.
    ///
    /// Errors are those of listing and of committing; what was saved before them stays. Cancel
    /// safe: some are saved, each whole.
    pub async fn checkpoint_all(
        &self,
        query: &Query,
        reason: &str,
        cause: Cause,
    ) -> Result<Checkpointed> {
        let mut done = Checkpointed::default();
        let ops = u32::try_from(self.inner.limits.ops).unwrap_or(AT_ONCE);
        let mut query = Query { page: Page::first(ops.min(AT_ONCE)), ..query.clone() };
        loop {
            let Listed { items, next } = self.list(&query).await?;
            let mut draft = self.draft();
            draft.cause(cause.clone());
            for slot in items {
                match slot.live() {
                    Ok(Some(record)) => self.add(&mut draft, record, reason, &mut done).await?,
                    Ok(None) => {}
                    Err(error) => done.fail(error),
                }
            }
            self.flush(&mut draft, &mut done).await?;
            let Some(next) = next else { return Ok(done) };
            query.page = query.page.after(next);
        }
    }

    /// Adds one to the draft, which is committed first if it has no room left.
    async fn add(
        &self,
        draft: &mut Draft,
        record: Record,
        reason: &str,
        done: &mut Checkpointed,
    ) -> Result<()> {
        let bytes = record.state.as_str().len() + AROUND_CONTENT;
        if bytes > self.inner.limits.state_bytes {
            let key = &record.key;
            done.fail(Error::too_large(format!("{key} is too large to be put in a checkpoint")));
            return Ok(());
        }
        if draft.batch().bytes() + bytes > self.inner.limits.batch_bytes {
            self.flush(draft, done).await?;
        }
        self.save(draft, record, reason).map(drop)
    }

    /// One page of an entity's checkpoints, the newest first. It may be short and still not the
    /// last. A checkpoint that cannot be decoded is an error in its place.
    pub async fn checkpoints(
        &self,
        key: &Key,
        page: &Page,
    ) -> Result<Listed<Result<Stored<Checkpoint>>>> {
        let group = Checkpoint::group_of(key);
        let group = Filter::is(AttrName::group(), AttrValue::from(group.as_str()));
        let query = Query::of(Kind::new(Checkpoint::KIND)?).filter(group);
        let query = Query { descending: true, page: page.clone(), ..query };
        let mut page = self.kind::<Checkpoint>().list(&query).await?;
        // Long names share a group with a checksum in its name, and lineages share all of them.
        page.items.retain(|found| found.as_ref().map_or(true, |found| found.of == *key));
        Ok(page)
    }

    /// The newest checkpoint of an entity, if there is one.
    pub async fn latest_checkpoint(&self, key: &Key) -> Result<Option<Stored<Checkpoint>>> {
        let mut page = Page::first(1);
        loop {
            let Listed { mut items, next } = self.checkpoints(key, &page).await?;
            if let Some(found) = items.pop() {
                return found.map(Some);
            }
            let Some(next) = next else { return Ok(None) };
            page = page.after(next);
        }
    }

    /// Adds a checkpoint to a draft, and says its id.
    pub(crate) fn save(&self, draft: &mut Draft, record: Record, reason: &str) -> Result<String> {
        if record.key.kind.as_str() == Checkpoint::KIND {
            // Saving all of them would make more, without end.
            return Err(Error::unsupported(format!("{} is a checkpoint itself", record.key)));
        }
        self.inner.limits.check("bytes in a reason", reason.len(), MAX_REASON_BYTES)?;
        let redactor = self.inner.known.redactor(&record.key.kind);
        let redactor = redactor.or_else(|| is_marked(&record.attrs).then_some(Redactor::HIDE));
        let key = self.kind::<Checkpoint>().key(&self.ids().uuid().to_string())?;
        let id = key.id().to_owned();
        let checkpoint = Checkpoint::of(record, reason, self.clock().now());
        let content = Json::encode(&checkpoint)?;
        let mut op = put(key, &checkpoint, Expect::Absent, content)?;
        if let (Some(redactor), Op::Put(Put { attrs, .. })) = (redactor, &mut op) {
            attrs.insert(AttrName::redacted(), AttrValue::Int(1));
            draft.redact_by(redactor);
        }
        draft.op(op);
        Ok(id)
    }

    /// Commits what a draft holds, if anything, and begins it anew.
    async fn flush(&self, draft: &mut Draft, done: &mut Checkpointed) -> Result<()> {
        if draft.is_empty() {
            return Ok(());
        }
        draft.commit().await?;
        done.saved += draft.batch().ops.len() as u64;
        let cause = draft.batch().cause.clone();
        *draft = self.draft();
        draft.cause(cause);
        Ok(())
    }
}

/// Saved states, beside the history.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # use std::sync::Arc;
/// # use outlast_store::{Store, StoreOptions};
/// # use outlast_core::{Entity, NoStatus, Page, RandomIds};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Debug, Serialize, Deserialize)]
/// # struct Note { text: String }
/// # impl Entity for Note { type Status = NoStatus; const KIND: &'static str = "note"; }
/// # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
/// # let store = Store::open(backend, StoreOptions::default());
/// let notes = store.kind::<Note>();
/// notes.create("a", &Note { text: "draft".into() }).await?;
/// let saved = notes.checkpoint("a", "before the rewrite").await?;
/// notes.update("a", |note| Ok(note.text = "rewritten".into())).await?;
///
/// let back = notes.restore(saved.id()).await?;
/// assert_eq!((back.text.as_str(), back.version.n), ("draft", 3));
/// // What was there before the restore was saved too, in the same commit.
/// let newest = notes.latest_checkpoint("a").await?.unwrap().into_value();
/// assert_eq!((newest.version.n, newest.reason.as_str()), (2, "pre_restore"));
/// # Ok::<(), outlast_core::Error>(())
/// # }).unwrap();
/// ```
impl<T: Entity> Collection<T> {
    /// Saves what an entity is now. Errors and cancel safety as for [`Store::checkpoint`].
    pub async fn checkpoint(&self, id: &str, reason: &str) -> Result<Stored<Checkpoint>> {
        self.store.checkpoint(&self.key(id)?, reason, self.cause.clone()).await
    }

    /// Saves what every entity that matches is now, as [`Store::checkpoint_all`] does.
    pub async fn checkpoint_all(&self, query: &Query, reason: &str) -> Result<Checkpointed> {
        self.store.checkpoint_all(query, reason, self.cause.clone()).await
    }

    /// One page of an entity's checkpoints, the newest first, as [`Store::checkpoints`].
    pub async fn checkpoints(
        &self,
        id: &str,
        page: &Page,
    ) -> Result<Listed<Result<Stored<Checkpoint>>>> {
        self.store.checkpoints(&self.key(id)?, page).await
    }

    /// The newest checkpoint of an entity, if there is one.
    pub async fn latest_checkpoint(&self, id: &str) -> Result<Option<Stored<Checkpoint>>> {
        self.store.latest_checkpoint(&self.key(id)?).await
    }
}
