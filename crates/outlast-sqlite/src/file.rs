//! The file itself: what lies at a path, and how a store is born there whole or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use outlast_core::{Error, Result};

use crate::config::APPLICATION_ID;
use crate::error::Place;
use crate::kept::kept;

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// A store of ours, of this layout as far as its header says.
    Store {
        layout: u32,
    },
}

const HEADER_BYTES: usize = 100;

/// Looks at the header alone, so that a file that is not ours is never opened, locked or changed.
pub(crate) fn inspect(place: &Place) -> Result<Found> {
    let file = match kept(place.path()) {
        Ok(file) => file,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(cause) => return Err(place.io_error("the file cannot be opened", cause)),
    };
    let header = read_header(&file);
    let header = header.map_err(|cause| place.io_error("the file cannot be read", cause))?;
    if header.is_empty() {
        return Err(Error::incompatible(format!(
            "{place} is an empty file, not a store; remove it to create one there"
        )));
    }
    if !header.starts_with(b"SQLite format 3\0") || header.len() < HEADER_BYTES {
        return Err(Error::corrupt(format!("{place} is not a database")));
    }
    let number = |at: usize| {
        let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_be_bytes(bytes.unwrap_or_default())
    };
    if number(68) != APPLICATION_ID.cast_unsigned() {
        return Err(Error::incompatible(format!("{place} belongs to another program")));
    }
    Ok(Found::Store { layout: number(60) })
}

/// The first bytes of a file that others may be reading by the same handle.
fn read_header(file: &File) -> io::Result<Vec<u8>> {
    let mut header = vec![0; HEADER_BYTES];
    let mut filled = 0;
    while let Some(rest) = header.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(file, rest, filled as u64)?;
        #[cfg(not(unix))]
        let read = io::Read::read(&mut &*file, rest)?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    header.truncate(filled);
    Ok(header)
}

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    /// The file that is at a place now.
    pub(crate) fn of(place: &Place) -> Result<Self> {
        let found = fs::metadata(place.path());
        let found = found.map_err(|cause| place.io_error("the file cannot be found", cause))?;
        #[cfg(unix)]
        return {
            use std::os::unix::fs::MetadataExt;
            Ok(Self(found.dev(), found.ino()))
        };
        #[cfg(not(unix))]
        return Ok(Self(0, u64::from(found.is_file())));
    }
}

/// A file on its way to its name. Dropped before it got there, it is removed.
pub(crate) struct Newborn {
    temporary: PathBuf,
    target: Place,
}

impl Newborn {
    /// An empty file of a name of its own beside `target`, for its owner alone.
    pub(crate) fn create(target: &Place, unique: &str) -> Result<Self> {
        let (name, folder) = (target.path().file_name(), folder(target.path()));
        if !folder.is_dir() {
            let folder = folder.display();
            return Err(Error::unavailable(format!(
                "the folder {folder} for the store {target} does not exist; create it"
            )));
        }
        let name = name.unwrap_or_default().to_string_lossy();
        let temporary = folder.join(format!(".{name}.{unique}.new"));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let created = options.open(&temporary);
        created.map_err(|cause| target.io_error("it cannot be created", cause))?;
        Ok(Self { temporary, target: target.clone() })
    }

    /// Where it is for now.
    pub(crate) fn place(&self) -> Place {
        Place::new(&self.temporary)
    }

    /// Makes it durable and gives it its name; `false` if something bears that name already.
    pub(crate) fn link(self) -> Result<bool> {
        let failed = |cause| self.target.io_error("it cannot be created", cause);
        File::open(&self.temporary).and_then(|file| file.sync_all()).map_err(failed)?;
        match fs::hard_link(&self.temporary, self.target.path()) {
            Ok(()) => {}
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => return Ok(false),
            Err(cause) => return Err(failed(cause)),
        }
        fs::remove_file(&self.temporary).map_err(failed)?;
        sync_folder(&self.target)?;
        Ok(true)
    }
}

impl Drop for Newborn {
    fn drop(&mut self) {
        let suffixes = ["", "-wal", "-shm", "-journal"];
        for suffix in suffixes {
            let mut path = self.temporary.clone().into_os_string();
            path.push(suffix);
            // What is not there needs no removing, and what stays is never mistaken for a store.
            let _ = fs::remove_file(path);
        }
    }
}

/// Makes a new name in the folder of `place` durable.
pub(crate) fn sync_folder(place: &Place) -> Result<()> {
    let synced = File::open(folder(place.path())).and_then(|folder| folder.sync_all());
    synced.map_err(|cause| place.io_error("its folder cannot be made durable", cause))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The file beside `path` with this suffix.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}
