//! A backend that leads every kind it meets to one phase, and is a pair of stores otherwise.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use outlast_core::{
    Admin, AttrName, Backend, BackendInfo, Change, Counts, Durability, Entry, HistoryQuery, Key,
    Kind, Kinds, Listed, Page, PrunePlan, Pruned, Query, ReadSet, Result, Revision, Size, Slot,
    StreamExtent, StreamQuery, Verification, Verified, Versioned, View, WriteSet, Written,
};
use outlast_orchestrator::migration::{Migration, Phase};
use tokio::sync::Mutex;

#[derive(Debug)]
pub(crate) struct Led {
    migration: Migration,
    phase: Phase,
    met: Mutex<BTreeSet<Kind>>,
}

impl Led {
    pub(crate) fn new(migration: Migration, phase: Phase) -> Self {
        Self { migration, phase, met: Mutex::default() }
    }

    fn inner(&self) -> &Arc<dyn Backend> {
        self.migration.store().backend()
    }

    async fn lead(&self, reads: &ReadSet) {
        let mut met = self.met.lock().await;
        for key in reads.keys.iter().chain(&reads.streams) {
            if met.insert(key.kind.clone()) && self.migration.phase(&key.kind) < self.phase {
                self.migration.advance(&key.kind, self.phase, true, |_| {}).await.unwrap();
            }
        }
    }
}

#[async_trait]
impl Backend for Led {
    fn info(&self) -> BackendInfo {
        // Before it met a kind it has none that could be durable, and afterwards all are.
        let info = self.inner().info();
        if !self.phase.is_durable() {
            return info;
        }
        BackendInfo { durability: Durability::Durable, ..info }
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        // What is closed leads nowhere.
        self.inner().kinds().await?;
        self.lead(reads).await;
        self.inner().fetch(reads).await
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        self.inner().write(set).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        self.inner().get(keys).await
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        self.inner().list(query).await
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.inner().count(query, by).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        self.inner().history(query).await
    }

    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        self.inner().read(query).await
    }

    async fn kinds(&self) -> Result<Kinds> {
        self.inner().kinds().await
    }

    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        self.inner().streams(kind, page).await
    }

    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        self.inner().changes(after, limit).await
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        self.inner().prune(plan, limit).await
    }

    async fn sync(&self) -> Result<()> {
        self.inner().sync().await
    }

    async fn close(&self) -> Result<()> {
        self.inner().close().await
    }
}

#[async_trait]
impl Admin for Led {
    async fn verify(&self) -> Result<Verification> {
        self.inner().verify().await
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        self.inner().backup(to).await
    }

    async fn size(&self) -> Result<Size> {
        self.inner().size().await
    }

    async fn compact(&self) -> Result<()> {
        self.inner().compact().await
    }
}
