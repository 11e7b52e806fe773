//! The contract, each method one lock and one call.

use std::path::Path;

use async_trait::async_trait;
use outlast_core::{
    Admin, AttrName, Backend, BackendInfo, Change, Counts, Entry, Error, HistoryQuery, Key, Kind,
    Kinds, Limits, Listed, Page, PrunePlan, Pruned, Query, ReadSet, Result, Revision, Size, Slot,
    StreamExtent, StreamQuery, Verification, Verified, Versioned, View, WriteSet, Written,
};

use crate::Memory;

pub(crate) const LIMITS: Limits = Limits::EMBEDDED;

#[async_trait]
impl Backend for Memory {
    fn info(&self) -> BackendInfo {
        self.identity()
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        self.reading(|content| Ok(content.fetch(reads)))
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        self.writing(|content| content.write(set))
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        self.reading(|content| Ok(keys.iter().map(|key| content.slot(key)).collect()))
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        self.reading(|content| content.list(query))
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.reading(|content| content.count(query, by))
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        self.reading(|content| content.history(query))
    }

    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        self.reading(|content| content.read(query))
    }

    async fn kinds(&self) -> Result<Kinds> {
        self.reading(|content| Ok(content.kinds()))
    }

    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        self.reading(|content| content.streams(kind, page))
    }

    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        self.reading(|content| content.changes(after, limit))
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        self.writing(|content| content.prune(plan, limit))
    }

    async fn sync(&self) -> Result<()> {
        self.reading(|_| Ok(()))
    }

    async fn close(&self) -> Result<()> {
        // Also a store that failed in the middle of a write can be let go of.
        let mut content = self.content.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *content = None;
        Ok(())
    }
}

#[async_trait]
impl Admin for Memory {
    async fn verify(&self) -> Result<Verification> {
        self.reading(|content| Ok(content.verify()))
    }

    async fn backup(&self, _to: &Path) -> Result<()> {
        self.reading(|_| Err(unsupported("copied to a file; export it instead")))
    }

    async fn size(&self) -> Result<Size> {
        self.reading(|content| Ok(Size { bytes: content.bytes, free: 0 }))
    }

    async fn compact(&self) -> Result<()> {
        self.reading(|_| Err(unsupported("compacted; it frees what is pruned at once")))
    }
}

fn unsupported(what: &str) -> Error {
    Error::unsupported(format!("a store in memory cannot be {what}"))
}
