//! A small file beside no database, which says which kinds are beyond memory and where: so that
//! switching everything off cannot quietly serve an empty memory instead of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind as IoKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use outlast_core::{Error, Kind, Result, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Phase;

/// The file's name within the state directory.
const FILE: &str = "migration.json";

/// Of several who change it, each does so alone.
static WRITING: Mutex<()> = Mutex::new(());

/// What the file says of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// How far it had moved when this was written. The ledger knows better.
    pub phase: Phase,
    /// Where the database is.
    pub location: String,
    /// Which database that is.
    pub store: Uuid,
    /// Since when acknowledged changes have been in memory only, because the database was away
    /// when the kind was rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volatile_since: Option<Timestamp>,
}

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// The kinds beyond memory.
    pub kinds: BTreeMap<Kind, Mark>,
}

/// The file.
#[derive(Clone, Debug)]
pub struct Sentinel {
    directory: PathBuf,
}

impl Sentinel {
    /// The one in a state directory, which need not exist.
    pub fn within(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Where the file is.
    pub fn path(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    /// What it says; nothing if there is none. `Corrupt` if it cannot be understood,
    /// `Unavailable` if it cannot be read.
    pub fn read(&self) -> Result<Marks> {
        let path = self.path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == IoKind::NotFound => return Ok(Marks::default()),
            Err(cause) => return Err(unavailable("read", &path, cause)),
        };
        serde_json::from_str(&text).map_err(|cause| {
            let message = format!(
                "{} is no list of kinds beyond memory; if the database is there, remove the file \
                 and run `outlast migrate state doctor`",
                path.display()
            );
            Error::corrupt(message).with_source(cause)
        })
    }

    /// Says something else, durably, before it returns. A list without kinds is no file.
    /// `Unavailable` and `StorageFull` if it cannot be written; then it says what it said.
    pub fn write(&self, marks: &Marks) -> Result<()> {
        let path = self.path();
        let written = if marks.kinds.is_empty() { self.remove() } else { self.replace(marks) };
        written.map_err(|cause| unavailable("write", &path, cause))
    }

    /// Changes what it says of one kind.
    pub fn note(
        &self,
        kind: &Kind,
        change: impl FnOnce(Option<&Mark>) -> Option<Mark>,
    ) -> Result<()> {
        let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut marks = self.read()?;
        let before = marks.clone();
        match change(before.kinds.get(kind)) {
            Some(mark) => drop(marks.kinds.insert(kind.clone(), mark)),
            None => drop(marks.kinds.remove(kind)),
        }
        if marks == before { Ok(()) } else { self.write(&marks) }
    }

    fn replace(&self, marks: &Marks) -> std::io::Result<()> {
        self.create_directory()?;
        let new = self.directory.join(format!("{FILE}.new"));
        let mut text = serde_json::to_string_pretty(marks)?;
        text.push('\n');
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.path())?;
        File::open(&self.directory)?.sync_all()
    }

    fn create_directory(&self) -> std::io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;

        if self.directory.is_dir() {
            return Ok(());
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        match self.directory.parent() {
            Some(parent) if parent != Path::new("") => File::open(parent)?.sync_all(),
            _ => File::open(".")?.sync_all(),
        }
    }

    fn remove(&self) -> std::io::Result<()> {
        match fs::remove_file(self.path()) {
            Err(cause) if cause.kind() == IoKind::NotFound => Ok(()),
            Err(cause) => Err(cause),
            Ok(()) => File::open(&self.directory)?.sync_all(),
        }
    }
}

fn unavailable(verb: &str, path: &Path, cause: std::io::Error) -> Error {
    let message = format!("cannot {verb} {}: {cause}", path.display());
    if cause.kind() == IoKind::StorageFull {
        return Error::new(outlast_core::ErrorKind::StorageFull, message).with_source(cause);
    }
    Error::unavailable(message).with_source(cause)
}
