//! Moving live state from memory to a database, and back, kind by kind and with nothing lost.
//!
//! [`open`] gives a [`Migration`], whose [store](Migration::store) is used like any other. Each
//! kind begins in memory, or where the ledger in the database says it stands, and is
//! [advanced](Migration::advance) and [rolled back](Migration::rollback) while it is used.
//! [`Migration::migrate_from_memory`] takes over what a program kept in a map of its own.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use outlast::migration::{Flags, Options, Phase};
//! use outlast::{Kind, Session};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let (path, state_dir) = (folder.path().join("state.db"), folder.path().join("state"));
//! let database = outlast::Location::Sqlite(path);
//! let options = Options { flags: Flags::all(false), standby: true, state_dir, ..Options::default() };
//! let migration = outlast::migration::open(Some(&database), options).await?;
//! let sessions = migration.store().kind::<Session>();
//! sessions.create("s1", &Session::new("tree", "main", migration.store().clock().now())).await?;
//!
//! let kind = Kind::new("session")?;
//! migration.advance(&kind, Phase::Live, false, |_| {}).await?;
//! migration.rollback(&kind, Phase::Shadow, false).await?;
//! assert_eq!(migration.phase(&kind), Phase::Shadow);
//! migration.close().await
//! # }).unwrap();
//! ```

#[cfg(feature = "recovery")]
mod running;

use std::path::absolute;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use outlast_core::{Backend, Error, IdSource, OpenOptions, Result};
pub use outlast_orchestrator::migration::*;

use crate::Location;
#[cfg(feature = "recovery")]
pub use running::{Running, start};

/// Opens a store in memory, and beside it the database at a location, if there is to be one.
///
/// Without a database, or with everything switched off, it is a store in memory, unless the file
/// in the state directory says that kinds are beyond memory: then it is refused.
///
/// Errors: `Invalid` if the database is memory, and those of [`Migration::open`]. Must be called
/// within a tokio runtime.
pub async fn open(database: Option<&Location>, options: Options) -> Result<Migration> {
    let near: Near = {
        let ids = options.store.ids.clone();
        Arc::new(move |epoch| Arc::new(outlast_memory::Memory::after(ids.as_ref(), epoch)))
    };
    let place = database.map(|location| Place::new(location, &options)).transpose()?;
    let place = place.map(|place| Arc::new(place) as Arc<dyn Connect>);
    Migration::open(near, place, options).await
}

/// Opens a database, and beside it another one that its kinds can move to, by the same phases and
/// back, while they are used. A commit is durable in each of them.
///
/// After a crash both are brought up to date from their change feeds.
///
/// Errors: `Invalid` if either of them is memory; `Fenced` if a live process moves the first;
/// `Unsupported` if a kind of it lies where an earlier move left it under another lineage: copy it
/// to a new database first; and those of [`Migration::open`].
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use outlast::migration::{Flags, Options, Phase};
/// use outlast::{Kind, Location, Session};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let state_dir = folder.path().join("state");
/// # let place = |name: &str| Location::Sqlite(folder.path().join(name));
/// let (from, to) = (place("old.db"), place("new.db")); // of either backend
/// let options = Options { flags: Flags::all(false), standby: true, state_dir, ..Options::default() };
/// let migration = outlast::migration::between(&from, &to, options).await?;
/// let sessions = migration.store().kind::<Session>();
/// sessions.create("s1", &Session::new("tree", "main", migration.store().clock().now())).await?;
/// migration.advance(&Kind::new("session")?, Phase::Live, false, |_| {}).await?;
/// migration.close().await
/// # }).unwrap();
/// ```
pub async fn between(from: &Location, to: &Location, options: Options) -> Result<Migration> {
    if *from == Location::Memory {
        return Err(Error::invalid("what is in memory is moved by `open`: name two databases"));
    }
    let place: Arc<dyn Connect> = Arc::new(Place::new(to, &options)?);
    let source = from.backend(&OpenOptions::default(), options.store.ids.as_ref()).await?;
    let free = match ledger::read(&*source).await {
        Ok(rows) => check_free(&rows),
        Err(error) => Err(error),
    };
    if let Err(error) = free {
        return refused(&*source, error).await;
    }
    let near: Near = {
        let source = source.clone();
        Arc::new(move |_| source.clone())
    };
    match Migration::open(near, Some(place), options).await {
        Ok(migration) => Ok(migration),
        Err(error) => refused(&*source, error).await,
    }
}

/// Sees a database through its ledger, if it has one. `Fenced` if it is to be written while a
/// live process moves a kind.
pub(crate) async fn heed(backend: Arc<dyn Backend>, read_only: bool) -> Result<Arc<dyn Backend>> {
    let rows = match ledger::read(&*backend).await {
        Ok(rows) if read_only => rows,
        Ok(rows) => match check_free(&rows) {
            Ok(()) => rows,
            Err(error) => return refused(&*backend, error).await,
        },
        Err(error) => return refused(&*backend, error).await,
    };
    Ok(resolve(backend, &rows))
}

async fn refused<T>(backend: &dyn Backend, error: Error) -> Result<T> {
    let _ = backend.close().await;
    Err(error)
}

/// A database that is opened whenever it is needed.
#[derive(Debug)]
struct Place {
    location: Location,
    open: OpenOptions,
    ids: Arc<dyn IdSource>,
    /// It may be made if it is not there.
    may_create: AtomicBool,
}

impl Place {
    fn new(location: &Location, options: &Options) -> Result<Self> {
        let location = match location {
            Location::Memory => {
                return Err(Error::invalid(
                    "memory cannot move to memory: name a database, as in sqlite:PATH",
                ));
            }
            Location::Sqlite(path) => Location::Sqlite(absolute(path).unwrap_or(path.clone())),
            Location::Sled(path) => Location::Sled(absolute(path).unwrap_or(path.clone())),
        };
        let marks = Sentinel::within(&options.state_dir).read()?;
        // What is beyond memory is somewhere already; an empty database would be another one.
        let may_create = AtomicBool::new(marks.kinds.is_empty());
        // It has to say that it is busy before whoever asks loses patience.
        let busy_timeout = OpenOptions::default().busy_timeout.min(options.pace.patience / 2);
        let open = OpenOptions { busy_timeout, ..OpenOptions::default() };
        Ok(Self { location, open, ids: options.store.ids.clone(), may_create })
    }
}

#[async_trait]
impl Connect for Place {
    async fn connect(&self) -> Result<Arc<dyn Backend>> {
        let create = self.may_create.load(Ordering::Relaxed);
        let open = OpenOptions { create, ..self.open };
        let backend = self.location.backend(&open, self.ids.as_ref()).await?;
        self.may_create.store(false, Ordering::Relaxed);
        Ok(backend)
    }

    fn location(&self) -> String {
        self.location.to_string()
    }
}
