//! Copying the log into the file beside the commits, so that none of them has to wait for it.
//!
//! Nothing depends on it: what is in the log is durable, and a commit that finds a log grown too
//! large empties it itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use outlast_core::Result;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::config::{Access, connect};
use crate::error::{Doing, Place};
use crate::moment::Moment;
use crate::script::Script;

/// How many pages more the log holds when it is copied again: 8 MiB.
const PAGES: u32 = 2000;

/// The connection that copies, and how far the log was copied when that was last begun.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    connection: Arc<Mutex<Option<SqliteConnection>>>,
    copied: AtomicU32,
}

impl Checkpoints {
    /// Begins to copy if enough has gathered at this moment and nobody copies.
    pub(crate) fn follow(&self, now: &Moment, place: &Place, busy_timeout: Duration) {
        let (pages, copied) = (now.pages_in_log(), self.copied.load(Ordering::Relaxed));
        // A log that is shorter than what was copied of it has begun anew.
        let copied = if pages < copied { 0 } else { copied };
        if pages < copied + PAGES {
            return;
        }
        if let Ok(slot) = self.connection.clone().try_lock_owned() {
            self.copied.store(pages, Ordering::Relaxed);
            let place = place.clone();
            // What fails here is done by a commit, as SQLite does it.
            tokio::spawn(async move { copy(slot, &place, busy_timeout).await });
        }
    }

    /// Waits for what is being copied and lets go of the connection.
    pub(crate) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            // Nothing is left open on it that could fail to be closed.
            let _ = connection.close().await;
        }
    }
}

async fn copy(
    mut slot: OwnedMutexGuard<Option<SqliteConnection>>,
    place: &Place,
    busy_timeout: Duration,
) -> Result<()> {
    // It is back in its place only after success.
    let mut connection = match slot.take() {
        Some(connection) => connection,
        None => connect(place, Access::Write, busy_timeout).await?,
    };
    let mut script = Script::new();
    script.sql("PRAGMA wal_checkpoint(PASSIVE)").end();
    match script.run(&mut connection).await? {
        Ok(_) => {
            *slot = Some(connection);
            Ok(())
        }
        Err(stopped) => Err(place.error(stopped.cause, Doing::Writing)),
    }
}
