//! Making a store: under another name, and given its own when it is whole and durable.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use outlast_core::Result;

use super::fsync::Disk;
use super::lock::Lock;
use super::marker::Marker;
use super::watermark::Watermark;
use super::{Home, parent};
use crate::config::FORMAT_FILE;
use crate::error;

/// A store in the making. It is of no use to anybody until it is finished.
#[derive(Debug)]
pub(crate) struct Birth {
    home: Home,
    target: PathBuf,
}

impl Birth {
    /// Makes the directory, beside where the store will be.
    pub(crate) fn begin(target: &Path, marker: Marker) -> Result<Self> {
        let failed = |cause| error::io(&target.display().to_string(), cause);
        let stem = stem(target);
        remove_abandoned(parent(target), &stem);
        let path = parent(target).join(format!("{stem}{}", marker.identity.store));
        DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        let lock = Lock::acquire(&path, Duration::ZERO)?;
        Watermark::create(&path).map_err(failed)?;
        let home = Home { path, marker, _lock: lock };
        Ok(Self { home, target: target.to_owned() })
    }

    /// The directory as it is called for now.
    pub(crate) fn path(&self) -> &Path {
        &self.home.path
    }

    /// Marks the directory as a store, once sled has made its files and let go of them, and
    /// moves it to its place, unless somebody else was faster.
    pub(crate) fn finish(self) -> Result<()> {
        let failed = |cause| error::io(&self.target.display().to_string(), cause);
        self.home.await_release()?;
        self.mark().map_err(failed)?;
        match fs::rename(&self.home.path, &self.target) {
            Ok(()) => sync(parent(&self.target)).map_err(failed),
            Err(_) if self.target.exists() => fs::remove_dir_all(&self.home.path).map_err(failed),
            Err(cause) => Err(failed(cause)),
        }
    }

    /// Removes what was made so far.
    pub(crate) fn abandon(self) {
        // What cannot be removed is removed by whoever makes the next store here.
        let _ = fs::remove_dir_all(&self.home.path);
    }

    fn mark(&self) -> io::Result<()> {
        let path = &self.home.path;
        let mut file = File::create_new(path.join(FORMAT_FILE))?;
        file.write_all(self.home.marker.to_text().as_bytes())?;
        Disk::open(path)?.sync_all()
    }
}

/// How the names of stores in the making begin.
fn stem(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    format!(".{name}.unborn-")
}

/// Removes what earlier attempts left that were cut off: nobody holds their locks.
fn remove_abandoned(folder: &Path, stem: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(stem)
            && Lock::of_abandoned(&entry.path()).is_some()
        {
            // It is in nobody's way, so failing to remove it is no reason to fail.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
