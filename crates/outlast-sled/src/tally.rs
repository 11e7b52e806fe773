//! How many rows each table holds and the sum of their checksums.
//!
//! sled may lose a stretch of its log in the middle and go on after it: rows are gone then, or
//! old ones are back, and each by itself looks whole. The tallies are kept in the row that every
//! transaction rewrites, so they tell.

use outlast_core::Result;
use sled::IVec;

use crate::codec::{Content, Flaw, Reader, Row, Writer};
use crate::tables::{Table, Tables};

/// The rows of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    rows: u64,
    sum: u64,
}

/// The rows of every table but that of the tallies themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tallies([Tally; Table::ALL.len()]);

impl Tally {
    fn add(&mut self, row: &IVec) {
        self.rows = self.rows.wrapping_add(1);
        self.sum = self.sum.wrapping_add(Row::sum(row));
    }

    fn remove(&mut self, row: &IVec) {
        self.rows = self.rows.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(Row::sum(row));
    }
}

impl Tallies {
    /// Counts one row that took the place of another.
    pub(crate) fn replace(&mut self, table: Table, old: Option<&IVec>, new: Option<&IVec>) {
        if table == Table::Meta {
            return;
        }
        if let Some(tally) = self.0.get_mut(table as usize) {
            if let Some(row) = old {
                tally.remove(row);
            }
            if let Some(row) = new {
                tally.add(row);
            }
        }
    }

    /// The tables that do not hold what they should; reads all of them.
    ///
    /// Rows that are damaged by themselves are told by themselves: here they are only counted.
    pub(crate) fn broken(&self, tables: &Tables) -> Result<Vec<Table>> {
        let mut broken = Vec::new();
        for (table, expected) in Table::ALL.into_iter().zip(self.0) {
            if table == Table::Meta {
                continue;
            }
            let mut found = Tally::default();
            let mut damaged = false;
            for pair in tables.under(table, &[])? {
                let (key, bytes) = pair?;
                found.add(&bytes);
                damaged |= Row::open(table, &key, bytes).is_err();
            }
            if found.rows != expected.rows || (found.sum != expected.sum && !damaged) {
                broken.push(table);
            }
        }
        Ok(broken)
    }
}

impl Content for Tallies {
    fn write(&self, out: &mut Writer) {
        for tally in self.0 {
            out.number(tally.rows);
            out.number(tally.sum);
        }
    }

    fn read(_key: &[u8], from: &mut Reader<'_>) -> Result<Self, Flaw> {
        let mut tallies = Self::default();
        for tally in &mut tallies.0 {
            *tally = Tally { rows: from.number()?, sum: from.number()? };
        }
        Ok(tallies)
    }
}
