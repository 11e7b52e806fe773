//! Files of a store that are opened beside SQLite, each once.
//!
//! SQLite's locks belong to the process and the file: closing any handle of a file drops all of
//! them, and another process that finds a store without locks takes itself for the last to close it
//! and removes its log. So what was opened stays open as long as the file may be in use here.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// How many files stay open that nobody uses.
const MOST_UNUSED: usize = 64;

/// By device and number.
type Files = HashMap<(u64, u64), Arc<File>>;

static KEPT: Mutex<Option<Files>> = Mutex::new(None);

/// The file at `path`, opened for reading.
#[cfg(unix)]
pub(crate) fn kept(path: &Path) -> io::Result<Arc<File>> {
    use std::os::unix::fs::MetadataExt;

    let name = |found: &std::fs::Metadata| (found.dev(), found.ino());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = kept.get_or_insert_default();
    tidy(kept);
    let found = std::fs::metadata(path)?;
    if let Some(file) = kept.get(&name(&found)) {
        return Ok(file.clone());
    }
    let file = Arc::new(File::open(path)?);
    let opened = name(&file.metadata()?);
    if opened == name(&found) {
        kept.insert(opened, file.clone());
        return Ok(file);
    }
    // Another took its place in between. It is never closed, for it may be one that is locked.
    std::mem::forget(file);
    Err(io::Error::other("it was replaced while it was opened"))
}

/// Closes those that are gone, and all that nobody uses if there are too many.
#[cfg(unix)]
fn tidy(kept: &mut Files) {
    use std::os::unix::fs::MetadataExt;

    let is_used = |file: &Arc<File>| Arc::strong_count(file) > 1;
    let is_there = |file: &Arc<File>| file.metadata().map_or(true, |found| found.nlink() > 0);
    kept.retain(|_, file| is_used(file) || is_there(file));
    if kept.values().filter(|file| !is_used(file)).count() > MOST_UNUSED {
        kept.retain(|_, file| is_used(file));
    }
}

/// Elsewhere locks belong to the handle.
#[cfg(not(unix))]
pub(crate) fn kept(path: &Path) -> io::Result<Arc<File>> {
    File::open(path).map(Arc::new)
}
