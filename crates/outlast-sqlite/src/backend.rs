//! The contract, each method one call to the file that has it.

use std::path::Path;

use async_trait::async_trait;
use outlast_core::{
    Admin, AttrName, Backend, BackendInfo, Change, Counts, Entry, HistoryQuery, Key, Kind, Kinds,
    Listed, Page, PrunePlan, Pruned, Query, ReadSet, Result, Revision, Size, Slot, StreamExtent,
    StreamQuery, Verification, Verified, Versioned, View, WriteSet, Written,
};

use crate::Sqlite;

#[async_trait]
impl Backend for Sqlite {
    fn info(&self) -> BackendInfo {
        self.info.clone()
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        self.fetch_view(reads).await
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        self.write_set(set).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        self.gathered(keys).await
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        self.list_page(query).await
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.count_matches(query, by).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        self.history_page(query).await
    }

    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        self.entries_page(query).await
    }

    async fn kinds(&self) -> Result<Kinds> {
        self.kinds_held().await
    }

    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        self.streams_page(kind, page).await
    }

    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        self.changes_page(after, limit).await
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        self.prune_slices(plan, limit).await
    }

    async fn sync(&self) -> Result<()> {
        if self.info.read_only {
            return self.connections.reader().await.map(crate::connections::Reader::keep);
        }
        // Every commit was durable before it was acknowledged, and nothing is put off.
        self.connections.note_mark().await
    }

    async fn close(&self) -> Result<()> {
        self.connections.close().await
    }
}

#[async_trait]
impl Admin for Sqlite {
    async fn verify(&self) -> Result<Verification> {
        self.verify_all().await
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        self.copy_to(to).await
    }

    async fn size(&self) -> Result<Size> {
        self.bytes_used().await
    }

    async fn compact(&self) -> Result<()> {
        self.shrink().await
    }
}
