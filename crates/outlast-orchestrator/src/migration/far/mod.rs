//! The database of a migration: reached with patience, written by one task at a time, and only
//! while the ledger says that it is ours.

mod claim;
mod commit;
mod connect;
mod session;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use outlast_core::{Backend, BackendInfo, Clock, Error, ErrorKind, IdSource, Limits, Result};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};
use tokio::time::timeout;
use uuid::Uuid;

use claim::Claim;
pub(crate) use commit::Sent;
pub use connect::{Connect, Fixed};
pub(crate) use session::Session;

/// The database, and how it is reached.
pub(crate) struct Far {
    connect: Arc<dyn Connect>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    /// How long it may take to answer.
    patience: Duration,
    /// What is open at the moment.
    open: Mutex<Open>,
    session: AsyncMutex<Session>,
    claim: Mutex<Option<Claim>>,
}

#[derive(Debug)]
struct Open {
    backend: Option<Arc<dyn Backend>>,
    info: BackendInfo,
}

impl fmt::Debug for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Far").field("location", &self.connect.location()).finish_non_exhaustive()
    }
}

impl Far {
    /// Opens it for the first time. Errors are those of opening; `Unavailable` if that takes too
    /// long.
    pub(crate) async fn open(
        connect: Arc<dyn Connect>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        patience: Duration,
    ) -> Result<Self> {
        let backend = within(patience, connect.connect()).await?;
        let claim = Claim::take(backend.info().store, &connect.location())?;
        let open = Open { info: backend.info(), backend: Some(backend) };
        let session = AsyncMutex::new(Session::default());
        Ok(Self {
            connect,
            clock,
            ids,
            patience,
            open: Mutex::new(open),
            session,
            claim: Mutex::new(Some(claim)),
        })
    }

    /// The right to write it: one task at a time has it.
    pub(crate) async fn lock(&self) -> Writer<'_> {
        Writer { far: self, session: self.session.lock().await }
    }

    /// What reads go to. `Unavailable` while nothing is open.
    pub(crate) fn reader(&self) -> Result<Arc<dyn Backend>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.backend.clone().ok_or_else(|| {
            Error::unavailable(format!("{} is not open at the moment", self.connect.location()))
        })
    }

    /// What the database is; the last known, while nothing is open.
    pub(crate) fn info(&self) -> BackendInfo {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).info.clone()
    }

    /// What fits into it.
    pub(crate) fn limits(&self) -> Limits {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).info.limits
    }

    /// Where it is, without secrets.
    pub(crate) fn location(&self) -> String {
        self.connect.location()
    }

    /// The identity of the store that was opened first.
    fn store(&self) -> Uuid {
        self.info().store
    }

    /// A read or another call, within the patience. `Unavailable` when that runs out.
    pub(crate) async fn within<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        within(self.patience, call).await
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Lets go of what is open for good: another store of this process may move it now.
    pub(crate) async fn leave(&self) -> Result<()> {
        let closed = self.close().await;
        self.claim.lock().unwrap_or_else(PoisonError::into_inner).take();
        closed
    }

    /// Lets go of what is open.
    async fn close(&self) -> Result<()> {
        let backend = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.backend.take()
        };
        match backend {
            Some(backend) => self.within(backend.close()).await,
            None => Ok(()),
        }
    }

    /// Opens it anew if what is open is of no use any more. It must be the same store.
    async fn reopen(&self) -> Result<Arc<dyn Backend>> {
        // An engine that keeps others out keeps out its own successor, too.
        let _ = self.close().await;
        let backend = self.within(self.connect.connect()).await?;
        if backend.info().store != self.store() {
            let _ = self.within(backend.close()).await;
            return Err(Error::new(
                ErrorKind::Diverged,
                format!(
                    "another store lies at {} than the one this process writes; put the right one \
                     back, or stop this process and see `outlast migrate state doctor`",
                    self.location()
                ),
            ));
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.info = backend.info();
        open.backend = Some(backend.clone());
        Ok(backend)
    }
}

async fn within<T>(patience: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    match timeout(patience, call).await {
        Ok(result) => result,
        Err(_) => Err(Error::unavailable(format!(
            "the database did not answer within {} ms",
            patience.as_millis()
        ))),
    }
}

/// The right to write the database.
pub(crate) struct Writer<'a> {
    far: &'a Far,
    pub(crate) session: MutexGuard<'a, Session>,
}

/// Whether an error says that nothing was applied because the database cannot be reached.
pub(crate) fn is_away(error: &Error) -> bool {
    use ErrorKind::{Busy, Closed, StorageFull, Unavailable};

    matches!(error.kind(), Busy | Closed | StorageFull | Unavailable)
}

/// Whether an error leaves open what was applied.
pub(crate) fn is_unknown(error: &Error) -> bool {
    use ErrorKind::{Indeterminate, Internal, Poisoned};

    matches!(error.kind(), Indeterminate | Internal | Poisoned)
}
