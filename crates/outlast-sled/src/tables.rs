//! The tables of a store, each a tree of sled's, and reading rows from them.
//!
//! | table | key | row |
//! |---|---|---|
//! | heads | kind, lineage, id | newest version without content, transient attributes |
//! | history | the same, epoch, number | one version with its content |
//! | index | kind, lineage, attribute, value, id | nothing |
//! | streams | kind, lineage, id | first and last place |
//! | entries | the same, place | one entry |
//! | feed | revision | commit id, digest, what it wrote |
//! | commits | commit id | revision |
//! | spent | time, revision | nothing: of that commit no version may be left |
//! | audit | position | key in the history |
//! | meta | `identity`, `state` | whose it is, where it stands |

use std::path::Path;
use std::sync::Arc;

use outlast_core::{Damage, Error, Result, Verified};
use sled::transaction::TransactionalTree;
use sled::{Db, IVec, Tree};

use crate::codec::{Content, Flaw, Row, key, name};
use crate::error;

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Table {
    Heads,
    History,
    Index,
    Streams,
    Entries,
    Feed,
    Commits,
    Spent,
    Audit,
    Meta,
}

/// The key of the row that says whose data this is.
pub(crate) const IDENTITY: &[u8] = b"identity";
/// The key of the row that says where the store stands.
pub(crate) const STATE: &[u8] = b"state";

impl Table {
    pub(crate) const ALL: [Self; 10] = [
        Self::Heads,
        Self::History,
        Self::Index,
        Self::Streams,
        Self::Entries,
        Self::Feed,
        Self::Commits,
        Self::Spent,
        Self::Audit,
        Self::Meta,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Heads => "heads",
            Self::History => "history",
            Self::Index => "index",
            Self::Streams => "streams",
            Self::Entries => "entries",
            Self::Feed => "feed",
            Self::Commits => "commits",
            Self::Spent => "spent",
            Self::Audit => "audit",
            Self::Meta => "meta",
        }
    }

    /// This table among those of a transaction.
    pub(crate) fn of(self, trees: &[TransactionalTree]) -> Option<&TransactionalTree> {
        trees.get(self as usize)
    }
}

/// What lies under a key: nothing, a row, or bytes that cannot be trusted.
pub(crate) type Found<T> = Option<Result<T, Flaw>>;

/// A key and the bytes under it, while walking a table.
pub(crate) type Pair = Result<(IVec, IVec)>;

/// The pairs of a part of a table, in or against the order of their keys.
pub(crate) type Walk<'a> = Box<dyn Iterator<Item = Pair> + 'a>;

/// All tables, open.
pub(crate) struct Tables {
    trees: Vec<Tree>,
    dir: Arc<Path>,
}

impl Tables {
    /// Makes the tables of a new store.
    pub(crate) fn create(db: &Db, dir: &Arc<Path>) -> Result<Self> {
        let trees = Table::ALL.iter().map(|table| db.open_tree(table.name()));
        let trees: Result<_, sled::Error> = trees.collect();
        let trees = trees.map_err(|cause| error::sled(dir, cause))?;
        Ok(Self { trees, dir: dir.clone() })
    }

    /// Opens the tables of a store, all of which must be there: sled would make what it lost.
    pub(crate) fn open(db: &Db, dir: &Arc<Path>) -> Result<Self> {
        let names = db.tree_names();
        for table in Table::ALL {
            if !names.iter().any(|name| **name == *table.name().as_bytes()) {
                let why = format!("the table {} is gone", table.name());
                return Err(error::damaged(dir, why));
            }
        }
        Self::create(db, dir)
    }

    /// Writes one row outside of any transaction.
    pub(crate) fn insert(&self, table: Table, key: &[u8], row: Row) -> Result<()> {
        let written = self.tree(table)?.insert(key, row.into_bytes());
        written.map(|_| ()).map_err(|cause| self.failed(cause))
    }

    /// The trees of a transaction, in the order of [`Table::ALL`].
    pub(crate) fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Where a row lies, as damage to it is reported.
    fn place(&self, table: Table) -> String {
        format!("table {} of {}", table.name(), self.dir.display())
    }

    /// The row under a key.
    pub(crate) fn row(&self, table: Table, key: &[u8]) -> Result<Found<Row>> {
        match self.tree(table)?.get(key) {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => Ok(Some(Row::open(table, key, bytes))),
            Err(sled::Error::Corruption { .. }) => {
                Ok(Some(Err(Flaw::new("sled cannot read the page it lies on"))))
            }
            Err(cause) => Err(self.failed(cause)),
        }
    }

    /// The content under a key.
    pub(crate) fn content<C: Content>(&self, table: Table, key: &[u8]) -> Result<Found<C>> {
        let found = self.row(table, key)?;
        Ok(found.map(|row| row.and_then(|row| row.content(key))))
    }

    /// The content under a key where there must be one, or the damage that it is not.
    pub(crate) fn kept<C: Content>(&self, table: Table, key: &[u8]) -> Result<Verified<C>> {
        let found = self.content(table, key)?.unwrap_or_else(|| Err(Flaw::new("it is gone")));
        Ok(found.map_err(|flaw| self.damage(table, key, flaw)))
    }

    /// The content under a key; damage to it is an error.
    pub(crate) fn sound<C: Content>(&self, table: Table, key: &[u8]) -> Result<Option<C>> {
        let found = self.content(table, key)?;
        found.transpose().map_err(|flaw| self.error(table, key, flaw))
    }

    /// The content of a pair met while walking.
    pub(crate) fn met<C: Content>(table: Table, key: &[u8], bytes: IVec) -> Result<C, Flaw> {
        Row::open(table, key, bytes)?.content(key)
    }

    /// The error for damage to a row that nothing can be answered without.
    pub(crate) fn error(&self, table: Table, key: &[u8], flaw: Flaw) -> Error {
        self.damage(table, key, flaw).into()
    }

    /// The error for a row that must be there and is not.
    pub(crate) fn missing(&self, table: Table, key: &[u8]) -> Error {
        self.error(table, key, Flaw::new("it is gone"))
    }

    /// The damage a flaw in a row is.
    pub(crate) fn damage(&self, table: Table, key: &[u8], flaw: Flaw) -> Damage {
        flaw.damage(name(table, key), self.place(table))
    }

    /// Walks the keys from `low` up to but without `high`, or back.
    pub(crate) fn walk<'a>(
        &'a self,
        table: Table,
        low: &[u8],
        high: Option<&[u8]>,
        down: bool,
    ) -> Result<Walk<'a>> {
        let tree = self.tree(table)?;
        let pairs = match high {
            // sled panics on a range that ends before it begins.
            Some(high) if high <= low => return Ok(Box::new(std::iter::empty())),
            Some(high) => tree.range(low..high),
            None => tree.range(low..),
        };
        let sound = |pair: sled::Result<_>| pair.map_err(|cause| self.failed(cause));
        Ok(if down { Box::new(pairs.rev().map(sound)) } else { Box::new(pairs.map(sound)) })
    }

    /// Walks all keys that begin with `prefix`.
    pub(crate) fn under<'a>(&'a self, table: Table, prefix: &[u8]) -> Result<Walk<'a>> {
        self.walk(table, prefix, key::after(prefix).as_deref(), false)
    }

    fn tree(&self, table: Table) -> Result<&Tree> {
        let tree = self.trees.get(table as usize);
        tree.ok_or_else(|| Error::internal(format!("no table {} is open", table.name())))
    }

    fn failed(&self, cause: sled::Error) -> Error {
        error::sled(&self.dir, cause)
    }
}
