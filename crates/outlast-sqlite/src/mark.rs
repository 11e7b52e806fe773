//! How far a store had come, in a file beside it: damage to the log cuts off commits at the end,
//! and nothing inside the store could tell.
//!
//! The mark is written when the store is synced and when it is closed, after what it speaks of
//! became durable, so it is never ahead. It may be missing: then nothing is compared.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::PathBuf;

use outlast_core::{Error, Result, Revision};
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::codec::{Cells, revision_of};
use crate::error::{Doing, Place};
use crate::file::beside;
use crate::script::Script;

/// What the name of the file ends with.
pub(crate) const SUFFIX: &str = "-mark";

/// Two places are written in turn, so that a write that is torn leaves the one before.
const PLACES: [usize; 2] = [0, 512];

/// The file beside a store, and which life of which store it may speak of.
pub(crate) struct Mark {
    path: PathBuf,
    store: Uuid,
    incarnation: Uuid,
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mark").field(&self.path).finish()
    }
}

impl Mark {
    pub(crate) fn new(place: &Place, store: Uuid, incarnation: Uuid) -> Self {
        Self { path: beside(place.path(), SUFFIX), store, incarnation }
    }

    /// `Corrupt` if the store ends before the point it had reached.
    pub(crate) async fn check(
        &self,
        connection: &mut SqliteConnection,
        place: &Place,
    ) -> Result<()> {
        let Some(reached) = self.read() else { return Ok(()) };
        let found = last_commit(connection, place, Doing::Opening).await?;
        if found >= reached {
            return Ok(());
        }
        let (found, reached, mark) = (found.0, reached.0, self.path.display());
        Err(Error::corrupt(format!(
            "{place}: it had reached revision {reached} and ends at {found}, its last commits are \
             gone; restore it from a backup, or remove {mark} to go on without them"
        )))
    }

    /// Notes how far the store is, all of it being durable.
    pub(crate) async fn advance(
        &self,
        connection: &mut SqliteConnection,
        place: &Place,
    ) -> Result<()> {
        let revision = last_commit(connection, place, Doing::Reading).await?;
        if self.read().is_some_and(|reached| reached >= revision) {
            return Ok(());
        }
        self.write(revision).map_err(|cause| {
            place.io_error("how far it had come could not be noted beside it", cause)
        })
    }

    fn read(&self) -> Option<Revision> {
        let bytes = fs::read(&self.path).ok()?;
        let marks = PLACES.iter().filter_map(|place| self.parse(bytes.get(*place..)?));
        marks.max()
    }

    fn parse(&self, bytes: &[u8]) -> Option<Revision> {
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        let (said, sum) = std::str::from_utf8(line).ok()?.rsplit_once(' ')?;
        if sum != format!("{:016x}", xxh3_64(said.as_bytes())) {
            return None;
        }
        let number = said.strip_prefix(&self.begin())?;
        number.parse().ok().map(Revision)
    }

    fn begin(&self) -> String {
        format!("outlast mark of {} {}: revision ", self.store, self.incarnation)
    }

    fn write(&self, revision: Revision) -> io::Result<()> {
        use std::io::{Seek, SeekFrom, Write};

        let said = format!("{}{}", self.begin(), revision.0);
        let line = format!("{said} {:016x}\n", xxh3_64(said.as_bytes()));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.path)?;
        let [even, odd] = PLACES;
        let place = if revision.0.is_multiple_of(2) { even } else { odd };
        file.seek(SeekFrom::Start(place as u64))?;
        file.write_all(line.as_bytes())?;
        file.sync_all()
    }
}

async fn last_commit(
    connection: &mut SqliteConnection,
    place: &Place,
    doing: Doing,
) -> Result<Revision> {
    let mut script = Script::new();
    script.sql("SELECT coalesce(max(seq), 0) FROM history").end();
    let answers = script.run(connection).await?;
    let answers = answers.map_err(|stopped| place.error(stopped.cause, doing))?;
    let row = answers.first().and_then(|answer| answer.rows.first());
    Ok(revision_of(row.map_or(0, |row| Cells(row).int(0).unwrap_or_default())))
}
