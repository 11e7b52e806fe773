//! One process at a time: a lock the operating system drops with its holder.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use outlast_core::{Error, Result};

use super::PAUSE;
use crate::config::LOCK_FILE;
use crate::error;

/// The lock on a store, held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or `Busy` naming its holder when it is still held after `patience`.
    pub(crate) fn acquire(dir: &Path, patience: Duration) -> Result<Self> {
        let path = dir.join(LOCK_FILE);
        let failed = |cause| error::io(&path.display().to_string(), cause);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        if !wait(&file, patience).map_err(failed)? {
            return Err(busy(dir, &mut file));
        }
        write_holder(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }

    /// Takes the lock of a directory whose maker is gone.
    ///
    /// One whose maker has not written its name yet is left alone: it may be about to.
    pub(crate) fn of_abandoned(dir: &Path) -> Option<Self> {
        let file = File::open(dir.join(LOCK_FILE)).ok()?;
        let named = file.metadata().is_ok_and(|about| about.len() > 0);
        (named && file.try_lock().is_ok()).then_some(Self { _file: file })
    }
}

/// Locks a file, trying for about `patience`; whether it succeeded.
pub(crate) fn wait(file: &File, patience: Duration) -> io::Result<bool> {
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(std::fs::TryLockError::Error(cause)) => return Err(cause),
            Err(std::fs::TryLockError::WouldBlock) if waited >= patience => return Ok(false),
            Err(std::fs::TryLockError::WouldBlock) => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
        }
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    // On a full disk the lock is as good without its holder's name.
    match writeln!(file, "{}", std::process::id()) {
        Err(cause) if !error::is_full(cause.kind()) => Err(cause),
        _ => Ok(()),
    }
}

fn busy(dir: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    let read = file.take(32).read_to_string(&mut holder);
    let holder = holder.trim().parse::<u32>().ok().filter(|_| read.is_ok());
    let holder = holder.map_or("another process".to_owned(), |pid| format!("process {pid}"));
    let place = dir.display();
    Error::busy(format!(
        "the sled store at {place} is in use by {holder}; one process at a time can open a sled \
         store: wait for it to end, or stop it"
    ))
}
