//! Where each kind really stands, kept in the database: whatever flags wish for, the ledger wins.
//!
//! One record per kind. It changes with moves and owners only, and every write of the kind is
//! made from a state of the database in which it was unchanged: that is the fence.

use std::collections::BTreeMap;

use outlast_core::{
    Actor, AttrName, AttrValue, Attributes, Backend, Batch, Cause, Error, Expect, Id, Json, Key,
    Kind, Op, Page, ProcessIdentity, Put, Query, Result, Slot, Timestamp, Version,
};
use serde::{Deserialize, Serialize};

use super::Phase;

/// The kind of the ledger's records.
pub const LEDGER: &str = "migration_ledger";

/// The kind of the records that say how far a move has come.
pub const PROGRESS: &str = "migration_progress";

/// Where a kind stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// How far it has moved.
    pub phase: Phase,
    /// Raised by every move and every new owner.
    pub epoch: u64,
    /// The lineage under which the database keeps it.
    pub lineage: u16,
    /// The process that moves it, while there is one.
    pub owner: Option<ProcessIdentity>,
    /// Where that process can be talked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// When it came to this phase.
    pub since: Timestamp,
    /// The greatest epoch that versions of it may have been numbered under.
    pub numbered: u64,
}

impl Row {
    /// Where the row of a kind is.
    pub(crate) fn key(kind: &Kind) -> Result<Key> {
        Ok(Key::of(Kind::new(LEDGER)?, Id::new(kind.as_str())?))
    }

    /// The operation that writes it, over the version it was read at.
    pub(crate) fn put(&self, kind: &Kind, over: Option<Version>) -> Result<Op> {
        let expect = over.map_or(Expect::Absent, Expect::At);
        let status = AttrValue::from(self.phase.as_str());
        let attrs = Attributes::from([(AttrName::status(), status)]);
        let state = Json::encode(self)?;
        Ok(Op::Put(Put { key: Self::key(kind)?, expect, schema: 1, attrs, state }))
    }
}

/// The rows that were read, and at which version each.
pub type Rows = BTreeMap<Kind, (Row, Version)>;

/// Reads all rows. `Incompatible` for one that this program does not understand.
pub async fn read(backend: &dyn Backend) -> Result<Rows> {
    let mut rows = Rows::new();
    let mut query = Query { page: Page::first(1000), ..Query::of(Kind::new(LEDGER)?) };
    loop {
        let page = backend.list(&query).await?;
        for slot in page.items {
            let Some(record) = slot_record(slot)? else { continue };
            let kind = Kind::new(record.key.id())?;
            let row = serde_json::from_str(record.state.as_str()).map_err(|cause| {
                let message = format!("the ledger row of {kind} was written by another version");
                Error::incompatible(message).with_source(cause)
            })?;
            rows.insert(kind, (row, record.version));
        }
        let Some(next) = page.next else { return Ok(rows) };
        query.page = query.page.after(next);
    }
}

fn slot_record(slot: Slot) -> Result<Option<outlast_core::Record>> {
    slot.live()
}

/// Who causes what a migration writes.
pub(crate) fn cause(reason: impl Into<String>) -> Cause {
    Cause::by(Actor::Migration).because(reason)
}

/// A batch that a migration writes.
pub(crate) fn batch(id: outlast_core::CommitId, reason: &str, ops: Vec<Op>) -> Batch {
    Batch { ops, ..Batch::new(id, cause(reason)) }
}
