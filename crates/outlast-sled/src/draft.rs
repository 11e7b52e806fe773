//! The rows one transaction will write, and the tables as they will be then.

use std::collections::BTreeMap;

use outlast_core::Result;
use sled::IVec;

use crate::codec::{Content, Row, State};
use crate::tables::{Table, Tables};

/// Rows to write and to remove.
pub(crate) type Changes = BTreeMap<(Table, Vec<u8>), Option<IVec>>;

/// A transaction in the making. It reads what it has written itself.
pub(crate) struct Draft<'a> {
    tables: &'a Tables,
    changes: Changes,
    /// Where the store will stand.
    pub(crate) state: State,
}

/// A transaction, ready to be applied to the tables it was made from.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) changes: Changes,
    /// Where the store will stand; what the tables hold then is counted while it is applied.
    pub(crate) state: State,
}

impl<'a> Draft<'a> {
    /// An empty transaction on top of `state`.
    pub(crate) fn new(tables: &'a Tables, state: State) -> Self {
        Self { tables, changes: Changes::new(), state }
    }

    /// The tables as they are now.
    pub(crate) fn tables(&self) -> &'a Tables {
        self.tables
    }

    /// The content under a key, as it will be.
    pub(crate) fn content<C: Content>(&self, table: Table, key: &[u8]) -> Result<Option<C>> {
        match self.changes.get(&(table, key.to_vec())) {
            None => self.tables.sound(table, key),
            Some(None) => Ok(None),
            Some(Some(bytes)) => {
                let content = Tables::met(table, key, bytes.clone());
                content.map(Some).map_err(|flaw| self.tables.error(table, key, flaw))
            }
        }
    }

    pub(crate) fn put(&mut self, table: Table, key: Vec<u8>, content: &impl Content) {
        let row = Row::seal(table, &key, content);
        self.changes.insert((table, key), Some(row.into_bytes()));
    }

    pub(crate) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.changes.insert((table, key), None);
    }

    /// The keys of a table below `end` that it writes.
    pub(crate) fn keys_below(&self, table: Table, end: &[u8]) -> Vec<Vec<u8>> {
        let changes = self.changes.range((table, Vec::new())..(table, end.to_vec()));
        let written = changes.filter(|(_, row)| row.is_some());
        written.map(|((_, key), _)| key.clone()).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The transaction as it is to be applied.
    pub(crate) fn finish(mut self) -> Transaction {
        self.state.transaction += 1;
        Transaction { changes: self.changes, state: self.state }
    }
}

impl Transaction {
    /// How many bytes it writes.
    pub(crate) fn bytes(&self) -> u64 {
        let rows = self
            .changes
            .iter()
            .map(|((_, key), row)| key.len() + row.as_ref().map_or(0, |row| row.len()));
        rows.sum::<usize>() as u64
    }
}
