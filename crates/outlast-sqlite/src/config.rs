//! How a connection is set up, and proof that it was.
//!
//! What a commit survives hangs on these settings and SQLite ignores those it does not
//! understand, so each is read back and a store that did not get what it asked for is not opened.

use std::path::Path;
use std::time::Duration;

use outlast_core::{Error, Result, planted};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use crate::codec::Cells;
use crate::error::{Doing, Place};
use crate::file::{beside, sync_folder};
use crate::script::Script;

/// `OutL` in the header of every file of ours.
pub(crate) const APPLICATION_ID: i32 = 0x4f75_744c;

/// Of a new file. History is appended to and likes large pages, heads are updated at random and
/// like small ones. At 64 commits of 1 KiB in a group over 10,000 entities, 8 and 4 KiB write 8.9
/// and 7.1 KiB per commit, 40 and 28 for a lone one, and 64 and 39 for a hundred lines of output.
/// The file of 4 KiB pages is a sixth larger than that of 8.
const PAGE_BYTES: u32 = 4 << 10;
/// Pages in the log before a commit copies them into the file itself: 64 MiB. It comes to that where
/// commits come faster than the log is emptied beside them.
const CHECKPOINT_PAGES: u32 = 16_000;
/// Bytes of the log that are kept for reuse: a long read makes it grow, and it would stay so.
const LOG_BYTES: i64 = 64 << 20;
/// KiB of pages a connection keeps, negative as SQLite wants it.
const CACHE_KIB: i64 = -32_768;
/// Rows the driver lets a statement run ahead of its reader.
const ROWS_AHEAD: usize = 512;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading and writing.
    Write,
    /// Reading what others may be writing.
    Read,
    /// Reading what nobody has open. SQLite puts files beside a store for readers too, and only a
    /// connection that might write removes them again when it is the last to be closed.
    ReadAlone,
    /// Reading a file that nobody can change, in a folder that cannot be written to.
    Immutable,
}

impl Access {
    /// How to read a store so that nothing is left beside it that was not there.
    pub(crate) fn reading(place: &Place) -> Self {
        if beside(place.path(), "-wal").exists() { Self::Read } else { Self::ReadAlone }
    }
}

/// A setting, and what reading it back must give.
type Setting = (&'static str, i64);

const SHARED: [Setting; 5] = [
    ("foreign_keys", 0),
    ("cell_size_check", 1),
    ("trusted_schema", 0),
    ("temp_store", 2),
    ("cache_size", CACHE_KIB),
];

/// Opens a connection and proves its settings.
pub(crate) async fn connect(
    place: &Place,
    access: Access,
    busy_timeout: Duration,
) -> Result<SqliteConnection> {
    let opening = |cause| place.error(cause, Doing::Opening);
    let mut connection =
        options(place.path(), access, busy_timeout).connect().await.map_err(opening)?;
    verify(&mut connection, place, access, busy_timeout).await?;
    if access == Access::Write {
        let fence = "CREATE TEMP TABLE fence (held INTEGER NOT NULL);\
                     INSERT INTO temp.fence VALUES (0)";
        sqlx::raw_sql(fence).execute(&mut connection).await.map_err(opening)?;
        // SQLite syncs the folder when it begins a log, and does not look whether that worked.
        sync_folder(place)?;
    }
    Ok(connection)
}

/// The options of a connection. The driver sets the busy timeout before any pragma.
fn options(path: &Path, access: Access, busy_timeout: Duration) -> SqliteConnectOptions {
    let mut options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(busy_timeout)
        .row_buffer_size(ROWS_AHEAD)
        .disable_statement_logging();
    for (name, value) in SHARED {
        options = options.pragma(name, value.to_string());
    }
    match access {
        Access::Read => options.read_only(true),
        Access::ReadAlone => options.pragma("query_only", "1"),
        Access::Immutable => options.read_only(true).immutable(true),
        Access::Write => options
            .page_size(PAGE_BYTES)
            .journal_mode(journal())
            .synchronous(synchronous())
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
            .pragma("journal_size_limit", LOG_BYTES.to_string()),
    }
}

/// How a commit comes to the disk: through a log.
fn journal() -> SqliteJournalMode {
    if planted("delete-full") { SqliteJournalMode::Delete } else { SqliteJournalMode::Wal }
}

/// When SQLite waits for the disk: at each commit.
fn synchronous() -> SqliteSynchronous {
    if planted("synchronous-off") {
        SqliteSynchronous::Off
    } else if planted("synchronous-normal") {
        SqliteSynchronous::Normal
    } else {
        SqliteSynchronous::Full
    }
}

async fn verify(
    connection: &mut SqliteConnection,
    place: &Place,
    access: Access,
    busy_timeout: Duration,
) -> Result<()> {
    let timeout = i64::try_from(busy_timeout.as_millis()).unwrap_or(i64::MAX);
    let mut expected = SHARED.to_vec();
    expected.push(("busy_timeout", timeout));
    if access == Access::ReadAlone {
        expected.push(("query_only", 1));
    }
    if access == Access::Write {
        expected.push(("synchronous", 2));
        expected.push(("wal_autocheckpoint", i64::from(CHECKPOINT_PAGES)));
        expected.push(("journal_size_limit", LOG_BYTES));
    }
    for (name, value) in expected {
        let found = pragma(connection, place, name).await?;
        let weakened = planted("synchronous-off") || planted("synchronous-normal");
        if found != value.to_string() && !weakened {
            return Err(refused(place, name, &found, &value.to_string()));
        }
    }
    let mode = pragma(connection, place, "journal_mode").await?;
    if access != Access::Immutable && mode != "wal" && !planted("delete-full") {
        return Err(refused(place, "journal_mode", &mode, "wal"));
    }
    Ok(())
}

/// What a pragma is set to, as text.
pub(crate) async fn pragma(
    connection: &mut SqliteConnection,
    place: &Place,
    name: &str,
) -> Result<String> {
    let mut script = Script::new();
    script.sql("PRAGMA ").sql(name).end();
    let answers = script.run(connection).await?;
    let answers = answers.map_err(|stopped| place.error(stopped.cause, Doing::Opening))?;
    let row = answers.first().and_then(|answer| answer.rows.first());
    let text = row.map(|row| Cells(row).any_text(0)).unwrap_or_default();
    Ok(text)
}

fn refused(place: &Place, name: &str, found: &str, wanted: &str) -> Error {
    Error::unsupported(format!(
        "{place}: sqlite has {name} at {found:?} and not at {wanted:?}, so commits might not last; \
         keep the store on a local file system"
    ))
}
