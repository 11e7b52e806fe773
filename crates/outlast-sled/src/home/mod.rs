//! The directory of a store and what lies in it beside sled's files.
//!
//! A directory is ours only if it holds our marker, and it gets the marker before it gets its
//! name: what is half made is never taken for a store, and what is not ours is never touched.

mod birth;
mod fsync;
mod lock;
mod marker;
mod seal;
mod watermark;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use outlast_core::{Error, OpenOptions, Result};

pub(crate) use birth::Birth;
pub(crate) use fsync::Disk;
pub(crate) use marker::Marker;
pub(crate) use watermark::{Mark, Watermark};

use crate::config::{FORMAT_FILE, RELEASE_LIMIT, SLED_LOG, SLED_SNAPSHOT, SLED_UNFINISHED};
use crate::error;
use lock::Lock;

/// A directory that holds a store, locked for this process.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    marker: Marker,
    _lock: Lock,
}

/// What is at a path.
pub(crate) enum Found {
    /// A store, now ours.
    Store(Home),
    /// Nothing, and a store may be made.
    Nothing,
}

impl Home {
    /// Looks at a path and locks the store there.
    ///
    /// `Unavailable` if there is nothing and nothing may be made, `Incompatible` if what is
    /// there is not ours, `Corrupt` if its marker is damaged, `Busy` if another process has it.
    pub(crate) fn find(path: &Path, options: &OpenOptions) -> Result<Found> {
        match fs::metadata(path) {
            Ok(about) if about.is_dir() => {}
            Ok(_) => {
                let place = path.display();
                return Err(Error::incompatible(format!(
                    "{place} is a file, and a sled store is a directory; choose another path"
                )));
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return vacant(path, options),
            Err(cause) => return Err(error::io(&path.display().to_string(), cause)),
        }
        let Some(marker) = Marker::read(path)? else { return Err(foreign(path)) };
        let lock = Lock::acquire(path, options.busy_timeout)?;
        Ok(Found::Store(Self { path: path.to_owned(), marker, _lock: lock }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn marker(&self) -> &Marker {
        &self.marker
    }

    /// Refuses files that are not what they were when the store was closed, and breaks the seal.
    ///
    /// sled repairs its files while it opens them by cutting off what it cannot read, so damage
    /// has to be found before. `false` if there was no seal, so that nothing could be found.
    pub(crate) fn unseal(&self) -> Result<bool> {
        let sealed = seal::check(&self.path)?;
        seal::remove(&self.path)?;
        Ok(sealed)
    }

    /// Writes what is in sled's files once more, and makes it durable.
    ///
    /// A sync may have failed before the process ended that wrote it. It is then in memory, where it
    /// is read, and not on the disk, where no later sync brings it: the kernel counts it as written.
    pub(crate) fn write_again(&self) -> Result<()> {
        let again = fsync::write_again(&self.path);
        again.map_err(|cause| error::io(&self.path.display().to_string(), cause))
    }

    /// Seals sled's files, which nobody may have open any more.
    pub(crate) fn seal(&self) -> Result<()> {
        self.await_release()?;
        seal::write(&self.path)
    }

    /// Removes snapshots that were never finished: sled would take one for a damaged one.
    pub(crate) fn clear_unfinished(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(SLED_SNAPSHOT) && name.ends_with(SLED_UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Waits until sled has let go of its files; it does so a little after it was dropped.
    pub(crate) fn await_release(&self) -> Result<()> {
        let log = self.path.join(SLED_LOG);
        let failed = |cause| error::io(&log.display().to_string(), cause);
        let file = File::open(&log).map_err(failed)?;
        lock::wait(&file, RELEASE_LIMIT).map_err(failed)?.then_some(()).ok_or_else(|| {
            let place = log.display();
            Error::busy(format!("{place} is still in use by sled; retry later"))
        })
    }
}

fn vacant(path: &Path, options: &OpenOptions) -> Result<Found> {
    let place = path.display();
    if !options.create {
        return Err(Error::unavailable(format!("no store at {place}")));
    }
    let parent = parent(path);
    if !parent.is_dir() {
        let parent = parent.display();
        return Err(Error::unavailable(format!(
            "the folder {parent} for the store {place} does not exist; create it"
        )));
    }
    Ok(Found::Nothing)
}

fn foreign(path: &Path) -> Error {
    let place = path.display();
    let empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    Error::incompatible(if empty {
        format!("the directory {place} is empty and not a store; remove it or choose another path")
    } else {
        format!("the directory {place} has no {FORMAT_FILE} file of ours: its data is another's")
    })
}

/// The folder a path lies in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// How long a pause between two looks at a lock is.
const PAUSE: Duration = Duration::from_millis(10);
