//! sled and the files beside it, in use.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Weak};

use outlast_core::{Error, ErrorKind, Result};
use sled::transaction::{ConflictableTransactionError, TransactionError};
use sled::{Db, Transactional};

use crate::codec::{Identity, Row, State};
use crate::config::{
    CACHE_BYTES, RELEASE_LIMIT, RELEASE_PAUSE, RESERVED_BYTES, SLED_LOG, SLED_PARAMETERS,
};
use crate::draft::Transaction;
use crate::error;
use crate::home::{Disk, Home, Mark, Watermark};
use crate::tables::{IDENTITY, STATE, Table, Tables};

/// An open store.
pub(crate) struct Engine {
    // Dropped in this order: sled last, since the tables are handles to it.
    pub(crate) tables: Tables,
    pub(crate) state: State,
    pub(crate) disk: Disk,
    watermark: Watermark,
    path: Arc<Path>,
    /// Space that is kept free, besides what a transaction needs; `None` to try one's luck.
    pub(crate) reserved: Option<u64>,
    db: Arc<Db>,
}

/// Why an engine cannot be used any more, in the middle of a transaction.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The disk is full: sled never recovers, but its files do.
    Full,
    /// A file could not be written or synced: whether the transaction is on the disk cannot be
    /// known.
    Unknown(String),
    /// sled panicked, in whatever state.
    Panicked(String),
}

impl Engine {
    /// Makes sled's files and the tables in a directory.
    pub(crate) fn create(path: &Path, identity: Identity) -> Result<()> {
        let path: Arc<Path> = path.into();
        let db = open_sled(&path)?;
        let tables = Tables::create(&db, &path)?;
        let rows = [
            (IDENTITY, Row::seal(Table::Meta, IDENTITY, &identity)),
            (STATE, Row::seal(Table::Meta, STATE, &State::default())),
        ];
        let failed = |cause| error::sled(&path, cause);
        for (key, row) in rows {
            tables.insert(Table::Meta, key, row)?;
        }
        db.flush().map_err(failed)?;
        Ok(())
    }

    /// Opens what is in a directory, and makes durable what was found.
    ///
    /// `Corrupt` if it cannot be opened or is behind what it had reached.
    pub(crate) fn open(home: &Home) -> Result<Self> {
        Self::open_after(home, || Ok(()))
    }

    /// The same after a process that did not close it, and of which nobody knows why it ended.
    pub(crate) fn open_unsealed(home: &Home) -> Result<Self> {
        Self::open_after(home, || home.write_again())
    }

    fn open_after(home: &Home, prepare: impl FnOnce() -> Result<()>) -> Result<Self> {
        let path: Arc<Path> = home.path().into();
        for name in [SLED_LOG, SLED_PARAMETERS] {
            if !path.join(name).is_file() {
                return Err(error::damaged(&path, format!("its file {name} is gone")));
            }
        }
        home.await_release()?;
        prepare()?;
        let (watermark, mark) = Watermark::open(&path)?;
        let failed = |cause| error::io(&path.display().to_string(), cause);
        home.clear_unfinished().map_err(failed)?;
        let disk = Disk::open(&path).map_err(failed)?;
        let db = open_sled(&path)?;
        let tables = Tables::open(&db, &path)?;
        let missing = || error::damaged(&path, "what it says about itself is gone");
        let identity: Identity = tables.sound(Table::Meta, IDENTITY)?.ok_or_else(missing)?;
        if identity != home.marker().identity {
            return Err(error::damaged(&path, "its data belongs to another store than its marker"));
        }
        let state: State = tables.sound(Table::Meta, STATE)?.ok_or_else(missing)?;
        check_mark(&path, Mark::of(&state), mark)?;
        disk.sync_all().map_err(failed)?;
        watermark.advance(Mark::of(&state)).map_err(failed)?;
        Ok(Self {
            tables,
            state,
            disk,
            watermark,
            path,
            reserved: Some(RESERVED_BYTES),
            db: Arc::new(db),
        })
    }

    /// Reads all rows, to notice any that sled lost. `Corrupt` if there are such.
    pub(crate) fn check(&self) -> Result<()> {
        let broken = error::catch(|| self.state.tallies.broken(&self.tables));
        let panicked = |why| Err(error::damaged(&self.path, format!("sled panicked: {why}")));
        match broken.unwrap_or_else(panicked)?.first() {
            None => Ok(()),
            Some(table) => {
                let why = format!("sled lost rows of its table {}", table.name());
                Err(error::damaged(&self.path, why))
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What wakes a write that sled forgot to wake.
    pub(crate) fn nudge(&self) -> Nudge {
        Nudge(Arc::downgrade(&self.db))
    }

    /// Whether sled knows that it failed. If it does not, it waits for ever while it is dropped.
    pub(crate) fn knows_failure(&self) -> bool {
        self.db.context.global_error().is_err()
    }

    /// `StorageFull` if the transaction might fill the disk; nothing is touched then.
    pub(crate) fn check_room(&self, transaction: &Transaction) -> Result<()> {
        let Some(reserved) = self.reserved else { return Ok(()) };
        let about = rustix::fs::statvfs(&*self.path);
        let failed = |cause| error::io(&self.path.display().to_string(), cause);
        let about = about.map_err(|cause| failed(cause.into()))?;
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        // sled writes a row again whenever it tidies the page the row lies on.
        let needed = reserved.saturating_add(transaction.bytes().saturating_mul(4));
        if free >= needed {
            return Ok(());
        }
        Err(full(&self.path, &format!("{free} bytes are free, {needed} are needed")))
    }

    /// Applies a transaction and makes it durable. `false` if the store stands elsewhere than
    /// the transaction was made for; nothing is applied then.
    pub(crate) fn apply(&mut self, transaction: &Transaction) -> Result<bool, Broken> {
        let before = Row::seal(Table::Meta, STATE, &self.state).into_bytes();
        let trees = self.tables.trees();
        let applied = error::catch(|| {
            trees.transaction(|views| {
                let meta = Table::Meta.of(views).ok_or_else(abort)?;
                if meta.get(STATE)?.as_ref() != Some(&before) {
                    return Err(abort());
                }
                let mut state = State { tallies: self.state.tallies, ..transaction.state };
                for ((table, key), row) in &transaction.changes {
                    let tree = table.of(views).ok_or_else(abort)?;
                    let old = match row {
                        Some(row) => tree.insert(key.as_slice(), row)?,
                        None => tree.remove(key.as_slice())?,
                    };
                    state.tallies.replace(*table, old.as_ref(), row.as_ref());
                }
                meta.insert(STATE, Row::seal(Table::Meta, STATE, &state).into_bytes())?;
                Ok(state)
            })
        });
        let state = match applied.map_err(Broken::Panicked)? {
            Ok(state) => state,
            Err(TransactionError::Abort(())) => return Ok(false),
            Err(TransactionError::Storage(cause)) => return Err(Broken::of(&cause)),
        };
        self.flush()?;
        self.state = state;
        let marked = self.watermark.advance(Mark::of(&self.state));
        marked.map_err(|cause| Broken::Unknown(cause.to_string()))?;
        Ok(true)
    }

    /// Makes everything applied durable.
    pub(crate) fn flush(&mut self) -> Result<(), Broken> {
        match error::catch(|| self.db.flush()).map_err(Broken::Panicked)? {
            Ok(_) => {}
            Err(cause) => return Err(Broken::of(&cause)),
        }
        // A sync that failed once may succeed the next time without having written anything, so
        // it is never tried again, and a full disk here is as bad as any other failure.
        self.disk.sync().map_err(|cause| Broken::Unknown(cause.to_string()))
    }

    /// Makes everything durable, the mark included.
    pub(crate) fn sync(&mut self) -> Result<(), Broken> {
        self.flush()?;
        self.watermark.sync().map_err(|cause| Broken::Unknown(cause.to_string()))
    }
}

/// Wakes a write.
///
/// When writing its log fails, sled notes that and in one place does not tell who waits for it.
/// The next to ask does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nudge(Weak<Db>);

impl Nudge {
    /// Asks; this may wait as long as the write itself.
    pub(crate) fn now(&self) {
        if let Some(db) = self.0.upgrade() {
            // The write that is woken has the answer.
            let _ = error::catch(|| db.flush());
        }
    }
}

impl Broken {
    fn of(cause: &sled::Error) -> Self {
        if error::sled_is_full(cause) { Self::Full } else { Self::Unknown(cause.to_string()) }
    }
}

/// The answer when the disk is too full to write.
pub(crate) fn full(path: &Path, why: &str) -> Error {
    let message = format!("the disk of {} is full: {why}; free space and retry", path.display());
    Error::new(ErrorKind::StorageFull, message)
}

fn abort() -> ConflictableTransactionError<()> {
    ConflictableTransactionError::Abort(())
}

fn open_sled(path: &Path) -> Result<Db> {
    // Without a thread of its own sled writes only while a transaction does, which is when there
    // is room for it. That thread would free hardly any space.
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    for _ in 0..RELEASE_LIMIT.as_millis() / RELEASE_PAUSE.as_millis() {
        match error::catch(|| config.open()) {
            Ok(Ok(opened)) => return Ok(opened),
            // A program that is being started may hold what it inherited from us, for a moment.
            Ok(Err(cause)) if error::sled_is_held(&cause) => std::thread::sleep(RELEASE_PAUSE),
            Ok(Err(cause)) => return Err(error::sled(path, cause)),
            Err(why) => {
                return Err(error::damaged(path, format!("sled panicked while opening it: {why}")));
            }
        }
    }
    let place = path.display();
    Err(Error::busy(format!("{place} is still in use by sled; retry later")))
}

fn check_mark(path: &Path, found: Mark, reached: Mark) -> Result<()> {
    if found >= reached {
        return Ok(());
    }
    let (found, reached) = (found.revision.0, reached.revision.0);
    Err(error::damaged(
        path,
        format!("it had reached revision {reached} and ends at {found}: sled lost what is between"),
    ))
}

/// The bytes of all files of a directory, as far as they can be counted.
pub(crate) fn bytes_on_disk(path: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(about) if about.is_dir() => bytes_on_disk(&entry.path())?,
            Ok(about) => about.len(),
            // sled removes files at any time.
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => 0,
            Err(cause) => return Err(cause),
        };
    }
    Ok(bytes)
}
