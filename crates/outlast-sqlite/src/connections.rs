//! One connection to write, a few to read, and none that was left in the middle of something.
//!
//! A connection counts as sound again only after success. So an error or a dropped future never
//! leaves one in use with a transaction open: it is closed, which rolls the transaction back, and
//! another is opened. A dropped write may still be running on the driver's thread; whoever writes
//! next, or closes the store, waits for its end first. A dropped read is interrupted.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use outlast_core::{Error, Result, planted};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{MappedMutexGuard, MutexGuard, Semaphore, SemaphorePermit};

use crate::checkpoints::Checkpoints;
use crate::config::{Access, connect};
use crate::error::{Doing, Place, result_code};
use crate::file::Identity;
use crate::kept::kept;
use crate::mark::Mark;
use crate::moment::{Header, Moment};
use crate::script::{Answer, Script, Stopped};

/// How many reads run at once; more wait.
const READERS: u32 = 4;

/// How many steps of SQLite's machine a dropped read may still make.
const STEPS: i32 = 4096;

/// A connection to read with, and what interrupts it.
#[derive(Debug)]
struct Reading {
    connection: SqliteConnection,
    leash: Leash,
}

/// Interrupts whatever a connection still runs once it is dropped.
#[derive(Debug, Default)]
struct Leash(Arc<AtomicBool>);

impl Drop for Leash {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Reading {
    async fn new(mut connection: SqliteConnection, place: &Place) -> Result<Self> {
        let leash = Leash::default();
        let cut = leash.0.clone();
        let locked = connection.lock_handle().await;
        let mut handle = locked.map_err(|cause| place.error(cause, Doing::Opening))?;
        handle.set_progress_handler(STEPS, move || !cut.load(Ordering::Relaxed));
        drop(handle);
        Ok(Self { connection, leash })
    }
}

/// The connections of one store.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) place: Place,
    /// The file that was opened.
    identity: Identity,
    mark: Mark,
    access: Access,
    busy_timeout: Duration,
    writer: tokio::sync::Mutex<Option<SqliteConnection>>,
    /// Tells the moment it is, as long as there is a connection to write with.
    header: Mutex<Option<Header>>,
    pub(crate) checkpoints: Checkpoints,
    /// Whether the last use of the writing connection came to its end.
    sound: AtomicBool,
    permits: Semaphore,
    idle: Mutex<Vec<Reading>>,
    closed: AtomicBool,
    poisoned: AtomicBool,
}

impl Connections {
    /// The connections of a store of which one is open. With `Access::Write` it writes.
    pub(crate) async fn new(
        (place, mark): (Place, Mark),
        access: Access,
        busy_timeout: Duration,
        first: SqliteConnection,
    ) -> Result<Self> {
        let identity = Identity::of(&place)?;
        let header = if access == Access::Write { Header::of(place.path()) } else { None };
        let (writer, idle) = match access {
            Access::Write => (Some(first), Vec::new()),
            Access::Read | Access::ReadAlone | Access::Immutable => {
                (None, vec![Reading::new(first, &place).await?])
            }
        };
        Ok(Self {
            place,
            identity,
            mark,
            access,
            busy_timeout,
            writer: tokio::sync::Mutex::new(writer),
            header: Mutex::new(header),
            checkpoints: Checkpoints::default(),
            sound: AtomicBool::new(true),
            permits: Semaphore::new(READERS as usize),
            idle: Mutex::new(idle),
            closed: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
        })
    }

    /// SQLite goes on in the file it opened, while connections yet to be made, and the log, are
    /// found by name.
    fn check_identity(&self) -> Result<()> {
        if Identity::of(&self.place).is_ok_and(|identity| identity == self.identity) {
            return Ok(());
        }
        Err(Error::poisoned(format!(
            "{}: the file was moved, removed or replaced while it was open; open the store again",
            self.place
        )))
    }

    /// How long to wait for another process.
    pub(crate) fn busy_timeout(&self) -> Duration {
        self.busy_timeout
    }

    /// Whether the store is open for reading only.
    pub(crate) fn read_only(&self) -> bool {
        self.access != Access::Write
    }

    /// Runs a script of reads. More than one statement must be within `BEGIN` and `COMMIT`.
    pub(crate) async fn read(&self, script: Script) -> Result<Vec<Answer>> {
        let mut reader = self.reader().await?;
        match script.run(&mut reader).await? {
            // A script that was cut off did not come to its end: its connection goes with it.
            Ok(answers) if answers.iter().any(|answer| answer.cut) => Ok(answers),
            Ok(answers) => {
                reader.keep();
                Ok(answers)
            }
            Err(stopped) => Err(self.place.error(stopped.cause, Doing::Reading)),
        }
    }

    /// Takes a connection to read with, once one is free.
    pub(crate) async fn reader(&self) -> Result<Reader<'_>> {
        let permit = self.permits.acquire().await.map_err(|_| self.gone())?;
        self.check_identity()?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reading = match idle {
            Some(reading) => reading,
            None => self.another_reader().await?,
        };
        Ok(Reader { home: self, reading, _permit: permit })
    }

    async fn another_reader(&self) -> Result<Reading> {
        let access = if self.access == Access::Write { Access::Read } else { self.access };
        let connection = connect(&self.place, access, self.busy_timeout).await?;
        Reading::new(connection, &self.place).await
    }

    /// Takes the connection to write with, once it is free.
    pub(crate) async fn writer(&self) -> Result<Writer<'_>> {
        let mut slot = self.writer.lock().await;
        if self.closed.load(Ordering::Acquire) {
            return Err(self.gone());
        }
        if self.read_only() {
            let place = &self.place;
            return Err(Error::unsupported(format!("{place} was opened for reading only")));
        }
        if self.poisoned.load(Ordering::Acquire) {
            return Err(self.poisoned_error());
        }
        self.check_identity()?;
        self.mend(&mut slot).await?;
        let connection = MutexGuard::try_map(slot, Option::as_mut);
        let connection = connection.map_err(|_| Error::internal("no connection to write with"))?;
        self.sound.store(planted("connection-reused"), Ordering::Release);
        Ok(Writer { home: self, connection })
    }

    /// Makes sure that there is a connection that nothing runs on.
    async fn mend(&self, slot: &mut Option<SqliteConnection>) -> Result<()> {
        if !self.sound.load(Ordering::Acquire) {
            self.set_header(None);
            if let Some(cut_off) = slot.as_mut() {
                // It answers when it is done with what it was doing. It stays in its place until
                // then, so that this, too, may be dropped.
                let _ = cut_off.ping().await;
            }
            if let Some(cut_off) = slot.take() {
                let _ = cut_off.close().await;
            }
        }
        if slot.is_none() {
            *slot = Some(connect(&self.place, Access::Write, self.busy_timeout).await?);
            self.set_header(Header::of(self.place.path()));
        }
        Ok(())
    }

    fn set_header(&self, header: Option<Header>) {
        *self.header.lock().unwrap_or_else(PoisonError::into_inner) = header;
    }

    /// The moment it is; `None` if that cannot be told without asking SQLite.
    pub(crate) fn moment(&self) -> Option<Moment> {
        self.header.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.now()
    }

    /// The moment a write led to. What has gathered in the log is seen to.
    pub(crate) fn moment_after_write(&self) -> Option<Moment> {
        let now = self.moment()?;
        self.checkpoints.follow(&now, &self.place, self.busy_timeout);
        Some(now)
    }

    /// The same for one who answers without a connection, if the store is in order.
    pub(crate) fn usable_moment(&self) -> Option<Moment> {
        let open = !self.closed.load(Ordering::Acquire) && self.check_identity().is_ok();
        self.moment().filter(|_| open)
    }

    /// Translates the failure of a write, and refuses all later ones if the disk failed.
    ///
    /// `commit` is the place of the commit among the statements, if there is one.
    pub(crate) fn write_error(&self, stopped: Stopped, commit: Option<u32>) -> Error {
        let committing = commit.is_some_and(|commit| stopped.completed >= commit);
        let doing = if committing { Doing::Committing } else { Doing::Writing };
        if result_code(&stopped.cause).is_some_and(|code| code & 0xff == 10) {
            self.poison();
        }
        self.place.error(stopped.cause, doing)
    }

    /// Refuses all writes from now on: what the disk failed to keep cannot be told.
    pub(crate) fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
    }

    fn poisoned_error(&self) -> Error {
        let place = &self.place;
        Error::poisoned(format!("{place}: the disk failed during a write; open the store again"))
    }

    fn gone(&self) -> Error {
        Error::closed(format!("{} was closed", self.place))
    }

    /// Copies the log into the file and makes both durable.
    pub(crate) async fn checkpoint(&self, connection: &mut SqliteConnection) -> Result<()> {
        let mut script = Script::new();
        script.sql("PRAGMA wal_checkpoint(TRUNCATE)").end();
        if let Err(stopped) = script.run(connection).await? {
            return Err(self.write_error(stopped, None));
        }
        let synced = kept(self.place.path()).and_then(|file| file.sync_all());
        synced.map_err(|cause| {
            self.poison();
            self.poisoned_error().with_source(cause)
        })
    }

    /// Notes how far the store is. Every commit was durable before it was acknowledged, so there
    /// is nothing else to wait for.
    pub(crate) async fn note_mark(&self) -> Result<()> {
        let mut writer = self.writer().await?;
        self.mark.advance(&mut writer, &self.place).await?;
        writer.keep();
        Ok(())
    }

    /// Lets go of everything. What runs is finished first; what comes later is refused.
    pub(crate) async fn close(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        // Readers first: the log is only emptied when nobody reads from it.
        let all = self.permits.acquire_many(READERS).await;
        let Ok(all) = all else { return Ok(()) };
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for Reading { connection, leash } in idle {
            let closed = connection.close().await;
            drop(leash);
            closed.map_err(|cause| self.place.error(cause, Doing::Reading))?;
        }
        let synced = self.part(&mut *self.writer.lock().await).await;
        self.closed.store(true, Ordering::Release);
        self.permits.close();
        drop(all);
        synced
    }

    async fn settle(&self, connection: &mut SqliteConnection) -> Result<()> {
        self.checkpoint(connection).await?;
        self.mark.advance(connection, &self.place).await
    }

    /// Leaves the file without a log, if it can still be written to, and the writing connection.
    async fn part(&self, slot: &mut Option<SqliteConnection>) -> Result<()> {
        if self.read_only() {
            return Ok(());
        }
        self.checkpoints.close().await;
        self.mend(slot).await?;
        self.set_header(None);
        let Some(mut connection) = slot.take() else { return Ok(()) };
        let poisoned = self.poisoned.load(Ordering::Acquire);
        let synced = if poisoned { Ok(()) } else { self.settle(&mut connection).await };
        let closed = connection.close().await;
        synced.and(closed.map_err(|cause| self.place.error(cause, Doing::Writing)))
    }
}

/// A connection to read with. Dropped without [`keep`](Reader::keep), it is interrupted and closed.
pub(crate) struct Reader<'a> {
    home: &'a Connections,
    reading: Reading,
    _permit: SemaphorePermit<'a>,
}

impl Reader<'_> {
    /// Puts it back for the next read.
    pub(crate) fn keep(self) {
        let Self { home, reading, _permit } = self;
        home.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reading);
    }
}

impl Deref for Reader<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.reading.connection
    }
}

impl DerefMut for Reader<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.reading.connection
    }
}

/// The connection to write with. Dropped without [`keep`](Writer::keep), it is not used again.
pub(crate) struct Writer<'a> {
    home: &'a Connections,
    connection: MappedMutexGuard<'a, SqliteConnection>,
}

impl Writer<'_> {
    /// Says that nothing is left open on it.
    pub(crate) fn keep(self) {
        self.home.sound.store(true, Ordering::Release);
    }
}

impl Deref for Writer<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Writer<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}
