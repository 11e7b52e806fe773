//! Care of the file: copies, its size, and giving space back.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use outlast_core::{Error, Result, Size};
use sqlx::Connection;

use crate::Sqlite;
use crate::codec::Cells;
use crate::config::{Access, connect};
use crate::error::{Doing, Place};
use crate::file::{Newborn, beside};
use crate::script::Script;

/// Copies this process made, so that each gets a name of its own.
static COPIES: AtomicU64 = AtomicU64::new(0);

impl Sqlite {
    pub(crate) async fn copy_to(&self, to: &Path) -> Result<()> {
        let target = Place::new(to);
        let taken = || Error::invalid(format!("{target} exists already; choose another name"));
        if to.try_exists().map_err(|cause| target.io_error("it cannot be created", cause))? {
            return Err(taken());
        }
        let unique = format!("{}-{}", std::process::id(), COPIES.fetch_add(1, Ordering::Relaxed));
        let newborn = Newborn::create(&target, &unique)?;
        let temporary = newborn.place();
        let path = temporary.path().to_str().ok_or_else(|| {
            Error::invalid(format!("{target} is not UTF-8, as sqlite needs its paths to be"))
        })?;
        let mut script = Script::new();
        script.sql("VACUUM INTO ").value(path).end();
        let mut reader = self.connections.reader().await?;
        if let Err(stopped) = script.run(&mut reader).await? {
            return Err(target.error(stopped.cause, Doing::Reading));
        }
        reader.keep();
        // The copy comes without a log; opening it for writing gives it the mode of a store.
        let copy = connect(&temporary, Access::Write, self.connections.busy_timeout()).await?;
        copy.close().await.map_err(|cause| temporary.error(cause, Doing::Opening))?;
        if newborn.link()? { Ok(()) } else { Err(taken()) }
    }

    pub(crate) async fn bytes_used(&self) -> Result<Size> {
        let mut script = Script::new();
        script.sql("BEGIN").end();
        script.sql("PRAGMA page_size").end().sql("PRAGMA freelist_count").end();
        script.sql("PRAGMA page_count").end().sql("COMMIT").end();
        let answers = self.connections.read(script).await?;
        let number = |place: usize| {
            let row = answers.get(place).and_then(|answer| answer.rows.first());
            row.map_or(0, |row| Cells(row).count(0))
        };
        let path = self.connections.place.path();
        let aside = ["-wal", "-shm"].map(|suffix| std::fs::metadata(beside(path, suffix)));
        let aside: u64 = aside.iter().flatten().map(std::fs::Metadata::len).sum();
        Ok(Size { bytes: number(1) * number(3) + aside, free: number(1) * number(2) })
    }

    pub(crate) async fn shrink(&self) -> Result<()> {
        let mut writer = self.connections.writer().await?;
        let mut script = Script::new();
        script.sql("VACUUM").end();
        self.run_write(&mut writer, script).await?;
        self.connections.checkpoint(&mut writer).await?;
        writer.keep();
        Ok(())
    }
}
