//! The SQLite backend of Outlast.
//!
//! One append-only `history` table is feed, audit trail, versions and current state at once: the
//! state of an entity is written once, in the row of its newest version, and a small `head` row
//! points there. A group of commits is one call to SQLite with one fsync. The tables and the views
//! over them can be read with `sqlite3` while the store is in use.
//!
//! # Tables to read
//!
//! Each is a view, so it costs nothing to write and cannot disagree with what it shows. Times are RFC
//! 3339 text in UTC, statuses lower case; text that is damaged is NULL in its own row. Columns may be
//! added by a later layout, and none is taken away.
//!
//! | view | shows |
//! |---|---|
//! | `tasks`, `task_states`, `log_fragments` | tasks, their transitions, their output |
//! | `swarm_states`, `agent_states`, `session_states` | swarms, agents, sessions |
//! | `hosts`, `commands`, `pipelines` | the fleet |
//! | `logic_operation_state`, `window_items` | joins and batches, and what they hold |
//! | `recovery_checkpoints` | saved states |
//! | `event_log` | the event log |
//! | `state_versions`, `current_states` | every entity, deleted ones included; every live one whole |
//! | `state_audit_log` | what was audited; states of kinds whose values are secret are left out |
//! | `state_version` | the revision of the last commit |
//!
//! `logic_operation_state.state_snapshot` is JSON put together on reading: `format` (1), `id`,
//! `version`, `window` and `items`, the last two as they are stored, items in the order of arrival.
//!
//! What is surprising about the layout, and why it is so:
//!
//! - `history.seq` is the commit's revision and the row's place in the commit (16 bits). The feed
//!   is found by it without an index, and the last row tells the last commit.
//! - History has no index by entity: versions are linked by `prev_seq`, newest first.
//! - The first row of each commit carries what is remembered of the commit: its id (indexed), its
//!   digest and what it appended. A commit without versions of its own has one row without entity.
//! - No constraint but primary keys is left to SQLite: the planner of `outlast-core` knows the
//!   rules, and `verify` compares indexes, chains and streams with the records.
//! - `attribute` indexes every attribute alike, `status` and `group` included.
//!
//! # What damage is noticed
//!
//! Every version, entry and set of transient attributes that is read is compared with its checksum,
//! the number of its row included. A read notices, too, a head that does not agree with its
//! version, a version missing from a chain, an entry missing from a stream that is read without
//! filters, and a commit missing from the feed. A write refuses, as `Corrupt`, to go on from a head,
//! a chain, the end of a stream or a repeated commit that is damaged; what else it names, and
//! everything else in the store, is written as before.
//!
//! What a read cannot notice, and only [`verify`](outlast_core::Admin::verify) does, is what an index
//! does not find any more: an entity or a stream whose name in the index is damaged is vacant, and a
//! write would create it anew; one whose attribute in the index is damaged is left out where that
//! attribute is filtered or ordered by; a commit whose id in the index is damaged, sent again, is
//! applied again. A whole store should be verified after a disk has shown errors.
//!
//! What nothing notices: damage to the log (`-wal`) before it was copied into the file. SQLite takes
//! the first frame that fails its checksum for the end of the log, so commits from there on are
//! missing, each as a whole. The log is copied when 8 MiB of it have gathered and when the store is
//! closed.
//! What is noticed is that commits are missing that were there when the store was last synced or
//! closed: a file beside it, whose name ends with `-mark`, says how far it had come, and a store that
//! ends before is `Corrupt`. It may be removed, and then nothing is compared; whoever puts an older
//! copy of the file in its place on purpose has to. Nor does anything notice damage to what is
//! remembered of commits whose versions were pruned.
//!
//! # What must not be done to the file
//!
//! A file that is moved, removed or replaced while it is open refuses every later read and write as
//! `Poisoned`, as soon as that is seen; what is written in the same moment may be lost. A program
//! that reads for long, or is stopped while it reads, keeps the log from being emptied, which grows
//! until it ends; it is cut back to 64 MiB afterwards.

mod admin;
mod backend;
mod changes;
mod checkpoints;
mod codec;
mod config;
mod connections;
mod draft;
mod error;
mod fetch;
mod file;
mod gather;
mod history;
mod ids;
mod insert;
mod kept;
mod kinds;
mod lookup;
mod mark;
mod moment;
mod open;
mod prune;
mod read;
mod recent;
pub mod schema;
mod script;
mod stream;
mod sum;
#[cfg(test)]
mod tests;
mod value;
mod verify;
mod write;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use outlast_core::{BackendInfo, Durability, IdSource, OpenOptions, Result};

use crate::connections::Connections;
use crate::gather::Gather;
use crate::lookup::Located;
use crate::recent::Recent;
use crate::schema::Schema;

/// A store in one SQLite file.
///
/// Commits are durable when they are acknowledged (WAL, `synchronous=FULL`, read back at open).
/// Several processes may have the file open at once, on a local file system. Every method may be
/// dropped at any moment: a write that was cut off is either whole or not there, and a read that
/// was is interrupted.
#[derive(Debug)]
pub struct Sqlite {
    connections: Connections,
    info: BackendInfo,
    /// What the last fetch located, for the write planned from it.
    located: Mutex<Option<Located>>,
    /// What was read or written last, for the next read of it.
    recent: Mutex<Recent>,
    gather: Gather,
}

impl Sqlite {
    /// Opens the store at `path`, or creates it there if the options say so.
    ///
    /// `Unavailable` if there is none or it cannot be opened; `Incompatible` if the file is empty,
    /// another program's, or of a newer layout, or of an older one that may not be upgraded;
    /// `Corrupt` if it is damaged or no database; `Busy` if another process holds it for longer
    /// than the busy timeout; `Unsupported` if SQLite would not promise durability there. A file
    /// that is refused is left as it was.
    ///
    /// ```
    /// # async fn example(folder: &std::path::Path) -> outlast_core::Result<()> {
    /// use outlast_core::{Backend, OpenOptions, RandomIds};
    /// use outlast_sqlite::Sqlite;
    ///
    /// let store = Sqlite::open(&folder.join("state.db"), &OpenOptions::default(), &RandomIds).await?;
    /// assert_eq!(store.info().name, "sqlite");
    /// store.close().await
    /// # }
    /// ```
    pub async fn open(path: &Path, options: &OpenOptions, ids: &dyn IdSource) -> Result<Self> {
        Self::open_with(&Schema::released(), path, options, ids).await
    }

    /// The same with a layout of another list of migrations, for tests of upgrades.
    #[doc(hidden)]
    pub async fn open_with(
        schema: &Schema,
        path: &Path,
        options: &OpenOptions,
        ids: &dyn IdSource,
    ) -> Result<Self> {
        open::open(schema, path, options, ids).await
    }

    fn durability(&self) -> Durability {
        self.info.durability
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember_located(&self, located: Located) {
        *self.located.lock().unwrap_or_else(PoisonError::into_inner) = Some(located);
    }

    fn take_located(&self) -> Option<Located> {
        self.located.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
