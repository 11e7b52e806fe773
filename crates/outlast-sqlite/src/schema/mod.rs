//! The storage layout and how it changes: numbered migrations, each up and down, each applied in
//! one transaction and recorded with the checksum of its text.
//!
//! A released migration never changes: a file that was made by another text under the same number
//! is refused.

mod run;

use std::path::Path;

use outlast_core::Result;

pub(crate) use run::{migrate, newer, standing};

use crate::sum::text_checksum;

/// One step of the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its number: 1, 2, 3 and so on without gaps.
    pub version: u32,
    /// What it is called.
    pub name: &'static str,
    /// The SQL that applies it.
    pub up: &'static str,
    /// The SQL that takes it back.
    pub down: &'static str,
}

impl Migration {
    /// The checksum that is recorded when it is applied.
    pub fn checksum(&self) -> String {
        text_checksum(self.up, self.down)
    }
}

/// The migrations of every release so far.
const RELEASED: [Migration; 2] = [
    Migration {
        version: 1,
        name: "init",
        up: include_str!("../../migrations/0001_init.up.sql"),
        down: include_str!("../../migrations/0001_init.down.sql"),
    },
    Migration {
        version: 2,
        name: "domain_views",
        up: include_str!("../../migrations/0002_domain_views.up.sql"),
        down: include_str!("../../migrations/0002_domain_views.down.sql"),
    },
];

/// A list of migrations that a file can be brought along.
#[derive(Clone, Debug)]
pub struct Schema {
    migrations: Vec<Migration>,
}

/// Where a file stands in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The layout the file has; 0 for none.
    pub current: u32,
    /// The layout this program writes.
    pub latest: u32,
    /// What was applied, oldest first.
    pub applied: Vec<Applied>,
    /// What is still to be applied, oldest first.
    pub pending: Vec<Migration>,
}

/// A migration as the file records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub version: u32,
    /// Its name.
    pub name: String,
    /// The checksum of its text.
    pub checksum: String,
    /// When, as RFC 3339 text.
    pub applied_at: String,
}

/// What taking migrations back removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// A table, or `table.column`.
    pub what: String,
    /// Rows that lose something.
    pub rows: u64,
}

impl Default for Schema {
    fn default() -> Self {
        Self::released()
    }
}

impl Schema {
    /// The migrations of this release.
    pub fn released() -> Self {
        Self::of(RELEASED)
    }

    /// Another list, for tests of the runner.
    pub fn of(migrations: impl IntoIterator<Item = Migration>) -> Self {
        Self { migrations: migrations.into_iter().collect() }
    }

    /// The layout this list leads to.
    pub fn latest(&self) -> u32 {
        self.migrations.last().map_or(0, |migration| migration.version)
    }

    /// Where the file stands.
    ///
    /// `Unavailable` if there is none, `Incompatible` if it is not ours, is newer, or was made by
    /// other migrations under the same numbers. Changes nothing.
    pub async fn status(&self, path: &Path) -> Result<Status> {
        run::status(self, path).await
    }

    /// Applies what is pending and says how the file stands then.
    ///
    /// Each migration is one transaction: a crash leaves the layout before or after it. Of two at
    /// once, one migrates and the other waits. Errors as for [`status`](Self::status).
    pub async fn up(&self, path: &Path) -> Result<Status> {
        run::up(self, path).await
    }

    /// Takes back everything after `to`, and says how the file stands then.
    ///
    /// `Invalid` if the file is older than that. What is lost is said by [`losses`](Self::losses).
    pub async fn down(&self, path: &Path, to: u32) -> Result<Status> {
        run::down(self, path, to).await
    }

    /// What [`down`](Self::down) would drop. Changes nothing.
    pub async fn losses(&self, path: &Path, to: u32) -> Result<Vec<Loss>> {
        run::losses(self, path, to).await
    }

    fn pending(&self, current: u32) -> Vec<Migration> {
        self.migrations.iter().filter(|migration| migration.version > current).copied().collect()
    }

    fn after(&self, to: u32, current: u32) -> Vec<Migration> {
        let among = |version| version > to && version <= current;
        let after = self.migrations.iter().rev().filter(|migration| among(migration.version));
        after.copied().collect()
    }
}
