//! Making what sled wrote durable: sled 0.34 itself never waits for the disk.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use outlast_core::planted;

use crate::config::{SLED_BLOBS, SLED_LOG, SLED_SNAPSHOT};

/// Handles to what has to be synced.
///
/// They are opened before sled writes and kept: the kernel reports a failed write-back once to
/// each handle that was open at the time.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
    pub(crate) log: File,
    /// Large values that are durable already. sled never changes one, so once is enough.
    blobs: HashSet<OsString>,
}

impl Disk {
    /// Opens the handles of a directory that holds sled's files.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let log = File::open(path.join(SLED_LOG))?;
        Ok(Self { path: path.to_owned(), log, blobs: HashSet::new() })
    }

    /// Syncs sled's log, and the large values that are new.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if planted("sled-without-fsync") {
            return Ok(());
        }
        let synced = self.sync_blobs().and_then(|()| self.log.sync_all());
        match synced {
            Err(_) if planted("fsync-ignored") => Ok(()),
            Err(_) if planted("fsync-retried") => self.log.sync_all(),
            synced => synced,
        }
    }

    fn sync_blobs(&mut self) -> io::Result<()> {
        let dir = self.path.join(SLED_BLOBS);
        let mut present = HashSet::new();
        let mut new = false;
        for entry in fs::read_dir(&dir)? {
            let name = entry?.file_name();
            if !self.blobs.contains(&name) {
                new |= sync_if_there(&dir.join(&name))?;
            }
            present.insert(name);
        }
        if new {
            File::open(&dir)?.sync_all()?;
        }
        self.blobs = present;
        Ok(())
    }

    /// Syncs every file and both directories, and makes them readable by their owner alone.
    pub(crate) fn sync_all(&self) -> io::Result<()> {
        for dir in [self.path.join(SLED_BLOBS), self.path.clone()] {
            for entry in fs::read_dir(&dir)? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    restrict(&entry.path())?;
                    sync_if_there(&entry.path())?;
                }
            }
            fs::set_permissions(&dir, Permissions::from_mode(0o700))?;
            File::open(&dir)?.sync_all()?;
        }
        Ok(())
    }
}

fn restrict(path: &Path) -> io::Result<()> {
    match fs::set_permissions(path, Permissions::from_mode(0o600)) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Syncs a file, unless sled removed it meanwhile.
fn sync_if_there(path: &Path) -> io::Result<bool> {
    match File::open(path) {
        Ok(file) => file.sync_all().map(|()| true),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause),
    }
}

/// Writes every file of sled's in its own place and syncs it.
pub(crate) fn write_again(path: &Path) -> io::Result<()> {
    for dir in [path.join(SLED_BLOBS), path.to_owned()] {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_sleds = dir != path || name == SLED_LOG || name.starts_with(SLED_SNAPSHOT);
            if is_sleds && entry.file_type()?.is_file() {
                write_file_again(&entry.path())?;
            }
        }
    }
    Ok(())
}

fn write_file_again(path: &Path) -> io::Result<()> {
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let mut block = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let read = file.read_at(&mut block, at)?;
        if read == 0 {
            return file.sync_all();
        }
        file.write_all_at(block.get(..read).unwrap_or_default(), at)?;
        at += read as u64;
    }
}
