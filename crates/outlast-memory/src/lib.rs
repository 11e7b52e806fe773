//! The volatile store: everything in this process, nothing on disk.
//!
//! It keeps the whole contract except surviving: versions, history, streams, feed and remembered
//! commits are all there, and gone with the process. No method waits for anything but a lock
//! that is held for one call, so every future is ready at its first poll.
//!
//! It draws a new epoch each time it is made, so that a version from an earlier life never
//! means something else in this one.

mod backend;
mod content;
mod fetch;
mod filter;
mod prune;
mod read;
mod stream;
mod table;
mod write;

use std::fmt;
use std::sync::RwLock;

use outlast_core::{
    BackendInfo, CommitId, Durability, Epoch, Error, IdSource, Incarnation, Limits, Result,
};
use uuid::Uuid;

use crate::content::Content;

/// A store in the memory of this process.
///
/// Offers [`Durability::Volatile`] and no capability. Closing it frees what it holds.
///
/// ```
/// use outlast_core::{Backend, Durability, RandomIds};
/// use outlast_memory::Memory;
///
/// let memory = Memory::new(&RandomIds);
/// assert_eq!(memory.info().durability, Durability::Volatile);
/// ```
pub struct Memory {
    store: Uuid,
    incarnation: Incarnation,
    epoch: Epoch,
    /// `None` once closed.
    content: RwLock<Option<Content>>,
}

impl Memory {
    /// An empty store. The ids name it and its life; its epoch is the moment inside them.
    pub fn new(ids: &dyn IdSource) -> Self {
        Self::after(ids, Epoch::default())
    }

    /// An empty store whose versions count as newer than those numbered under an epoch, whatever
    /// the clock says: for content that was numbered by another store before.
    pub fn after(ids: &dyn IdSource, epoch: Epoch) -> Self {
        let store = ids.uuid();
        let drawn = CommitId::of(store).millis().unsigned_abs();
        Self {
            store,
            incarnation: Incarnation(ids.uuid()),
            epoch: Epoch(drawn.max(epoch.0.saturating_add(1))),
            content: RwLock::new(Some(Content::default())),
        }
    }

    fn identity(&self) -> BackendInfo {
        BackendInfo {
            name: "memory",
            location: "this process".to_owned(),
            store: self.store,
            incarnation: self.incarnation,
            epoch: self.epoch,
            schema_version: 1,
            durability: Durability::Volatile,
            capabilities: Vec::new(),
            limits: Limits::EMBEDDED,
            read_only: false,
        }
    }

    fn reading<T>(&self, look: impl FnOnce(&Content) -> Result<T>) -> Result<T> {
        let content = self.content.read().map_err(|_| poisoned())?;
        look(content.as_ref().ok_or_else(closed)?)
    }

    fn writing<T>(&self, change: impl FnOnce(&mut Content) -> T) -> Result<T> {
        let mut content = self.content.write().map_err(|_| poisoned())?;
        Ok(change(content.as_mut().ok_or_else(closed)?))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("store", &self.store).finish_non_exhaustive()
    }
}

fn closed() -> Error {
    Error::closed("the store in memory was closed")
}

/// A panic while writing may have left half a commit behind, so nothing is answered from it.
fn poisoned() -> Error {
    Error::poisoned("the store in memory failed in the middle of a write; make a new one")
}
