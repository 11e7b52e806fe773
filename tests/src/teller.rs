//! The clerks of the [`ledger`] as a process that ends by itself, whatever its disk does, and says
//! truthfully what became of each transfer.
//!
//! What it says, one line each: `founded`, `CLERK MADE` for a transfer that was acknowledged,
//! `refused KIND` for an error, `lied WHAT` for an error that was not what it said, `closed`, and
//! `end`.

use std::io::Write as _;
use std::time::Duration;

use outlast_core::{Batch, Error, ErrorKind, OpenOptions, Outcome, Result};
use outlast_store::{Store, StoreOptions};

use crate::ledger;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Shift {
    /// How often the store is opened and closed.
    pub sessions: u64,
    /// How many transfers each clerk makes in between.
    pub transfers: u64,
    /// How many clerks work at once.
    pub clerks: u64,
}

/// Times that something is tried again before it is given up.
const TRIES: u32 = 4;

/// Works.
pub async fn work(url: &str, shift: Shift) {
    for _ in 0..shift.sessions {
        let Some(store) = open(url).await else { return };
        let mut clerks = tokio::task::JoinSet::new();
        for clerk in 0..shift.clerks {
            let (url, store) = (url.to_owned(), store.clone());
            clerks.spawn(async move { serve(&url, store, clerk, shift.transfers).await });
        }
        let stores = clerks.join_all().await;
        for store in stores.into_iter().chain([store]) {
            match store.close().await {
                Ok(()) => say("closed"),
                Err(error) => refused(&error),
            }
        }
    }
    say("end");
}

async fn open(url: &str) -> Option<Store> {
    for _ in 0..TRIES {
        match opened(url).await {
            Ok(store) => return Some(store),
            Err(error) => refused(&error),
        }
    }
    None
}

async fn opened(url: &str) -> Result<Store> {
    let mut options = StoreOptions::default();
    if let Some(millis) = crate::lab::number("OUTLAST_DEADLINE_MS") {
        options.deadline = Duration::from_millis(millis);
    }
    let mut open = OpenOptions::default();
    open.busy_timeout = open.busy_timeout.min(options.deadline);
    let store = outlast::open_with(url, open, options).await?;
    if ledger::sum(&store).await? == 0 {
        if let Err(error) = ledger::found(&store).await {
            // Whatever became of it is looked at with another store.
            let _ = store.close().await;
            return Err(error);
        }
        say("founded");
    }
    Ok(store)
}

/// Makes transfers; returns the store it ended with.
async fn serve(url: &str, mut store: Store, clerk: u64, transfers: u64) -> Store {
    for _ in 0..transfers {
        for _ in 0..TRIES {
            match one(&store, clerk).await {
                Ok(()) => break,
                Err(Trouble::Again) => {}
                Err(Trouble::Reopen(batch, made)) => {
                    let _ = store.close().await;
                    let Some(again) = open(url).await else { return store };
                    store = again;
                    if settle(&store, clerk, batch, made).await {
                        break;
                    }
                }
            }
        }
    }
    store
}

enum Trouble {
    /// Nothing was applied.
    Again,
    /// It may have been, and the store has to be opened again to learn that.
    Reopen(Box<Batch>, u64),
}

async fn one(store: &Store, clerk: u64) -> Result<(), Trouble> {
    let before = ledger::made(store, clerk).await;
    let prepared = ledger::prepare(store, clerk).await;
    let (batch, made) = prepared.map_err(|error| {
        refused(&error);
        Trouble::Again
    })?;
    match store.commit(batch.clone()).await {
        Ok(Outcome::Applied(_) | Outcome::Replayed(_)) => {
            say(&format!("{clerk} {made}"));
            Ok(())
        }
        Ok(Outcome::Conflict { .. }) => Err(Trouble::Again),
        Err(error) => {
            refused(&error);
            if matches!(error.kind(), ErrorKind::Indeterminate | ErrorKind::Poisoned) {
                probe(store, clerk, error.kind()).await;
                return Err(Trouble::Reopen(Box::new(batch), made));
            }
            let after = ledger::made(store, clerk).await;
            if let (Ok(before), Ok(after)) = (before, after)
                && before != after
            {
                say(&format!("lied: {:?}, and yet it was applied", error.kind()));
            }
            Err(Trouble::Again)
        }
    }
}

/// Whether a store that said it can promise nothing takes another write.
async fn probe(store: &Store, clerk: u64, kind: ErrorKind) {
    let Ok((batch, made)) = ledger::prepare(store, clerk).await else { return };
    if store.commit(batch).await.is_ok() {
        say(&format!("{clerk} {made}"));
        say(&format!("wrote after {kind:?}"));
    }
}

/// Hands in again what may have been applied. `true` once that is known.
async fn settle(store: &Store, clerk: u64, batch: Box<Batch>, made: u64) -> bool {
    match store.commit(*batch).await {
        Ok(Outcome::Applied(_) | Outcome::Replayed(_)) => {
            say(&format!("{clerk} {made}"));
            true
        }
        Ok(Outcome::Conflict { .. }) => false,
        Err(error) => {
            refused(&error);
            false
        }
    }
}

fn refused(error: &Error) {
    say(&format!("refused {:?} {error}", error.kind()));
}

/// One write per line: what is read of it is whole or not there.
fn say(line: &str) {
    let line = format!("{line}\n");
    // Nobody who listens is left: nobody is told anything.
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
}
