//! The contract, each method one call to the engine.

use std::path::Path;

use async_trait::async_trait;
use outlast_core::{
    Admin, AttrName, Backend, BackendInfo, Change, Counts, Durability, Entry, Error, HistoryQuery,
    Key, Kind, Kinds, Listed, Page, PrunePlan, Pruned, Query, ReadSet, Result, Revision, Size,
    Slot, StreamExtent, StreamQuery, Verification, Verified, Versioned, View, WriteSet, Written,
};

use crate::engine::{Engine, bytes_on_disk};
use crate::{Sled, error, fetch, prune, read, verify, write};

impl Sled {
    async fn reading<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let owner = self.owner.clone();
        self.guard.reading(move || owner.read(look)).await
    }
}

/// A read whose future is dropped is finished in vain; a write whose future is dropped is
/// finished. Every method needs a tokio runtime with its clock enabled.
#[async_trait]
impl Backend for Sled {
    fn info(&self) -> BackendInfo {
        self.info.clone()
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        let reads = reads.clone();
        self.reading(move |engine| fetch::fetch(&engine.tables, &engine.state, &reads)).await
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        let (owner, set) = (self.owner.clone(), set.clone());
        let applied = self.guard.writing(move |begin| {
            let mut writing = owner.lock();
            begin.now(writing.nudge());
            writing.change(|engine| {
                if set.base != engine.state.revision {
                    return Ok((None, Written::Raced));
                }
                let applied = Written::Applied(Durability::Durable);
                if set.is_empty() {
                    return Ok((None, applied));
                }
                let transaction = write::draft(&engine.tables, engine.state, &set)?;
                Ok((Some(transaction), applied))
            })
        });
        Ok(applied.await?.unwrap_or(Written::Raced))
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        let keys = keys.to_vec();
        self.reading(move |engine| {
            keys.iter().map(|key| read::lookup(&engine.tables, key)).collect()
        })
        .await
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        let query = query.clone();
        self.reading(move |engine| read::list(&engine.tables, &query)).await
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        let (query, by) = (query.clone(), by.to_vec());
        self.reading(move |engine| read::count(&engine.tables, &query, &by)).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        let query = query.clone();
        self.reading(move |engine| read::history(&engine.tables, &query)).await
    }

    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        let query = query.clone();
        self.reading(move |engine| read::entries(&engine.tables, &query)).await
    }

    async fn kinds(&self) -> Result<Kinds> {
        self.reading(|engine| read::kinds(&engine.tables)).await
    }

    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        let (kind, page) = (kind.clone(), page.clone());
        self.reading(move |engine| read::streams(&engine.tables, &kind, &page)).await
    }

    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        self.reading(move |engine| read::changes(&engine.tables, &engine.state, after, limit)).await
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        let (owner, plan) = (self.owner.clone(), plan.clone());
        let pruned = self.guard.writing(move |begin| {
            let mut writing = owner.lock();
            begin.now(writing.nudge());
            writing.change(|engine| prune::draft(&engine.tables, engine.state, &plan, limit))
        });
        pruned.await?.ok_or_else(|| Error::internal("another writer came between while pruning"))
    }

    async fn sync(&self) -> Result<()> {
        let owner = self.owner.clone();
        self.guard
            .writing(move |begin| {
                let mut writing = owner.lock();
                begin.now(writing.nudge());
                writing.sync()
            })
            .await
    }

    async fn close(&self) -> Result<()> {
        let owner = self.owner.clone();
        let closing = self.guard.writing(move |begin| {
            let mut writing = owner.lock();
            begin.now(writing.nudge());
            writing.close()
        });
        let Some(home) = closing.await? else { return Ok(()) };
        // Sealing reads all files, which may take longer than any write may.
        self.guard.reading(move || home.seal()).await
    }
}

#[async_trait]
impl Admin for Sled {
    async fn verify(&self) -> Result<Verification> {
        self.reading(|engine| verify::verify(&engine.tables, &engine.state)).await
    }

    async fn backup(&self, _to: &Path) -> Result<()> {
        self.reading(|_| Ok(())).await?;
        Err(Error::unsupported(
            "a sled store cannot be copied while it is in use; close it and copy its directory, \
             or migrate it",
        ))
    }

    async fn size(&self) -> Result<Size> {
        self.reading(|engine| {
            let path = engine.path();
            let bytes = bytes_on_disk(path);
            let failed = |cause| error::io(&path.display().to_string(), cause);
            Ok(Size { bytes: bytes.map_err(failed)?, free: 0 })
        })
        .await
    }

    async fn compact(&self) -> Result<()> {
        self.reading(|_| Ok(())).await?;
        Err(Error::unsupported("sled tidies its files by itself and cannot be told to"))
    }
}
