//! The marker that says a directory is a store, and which.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use outlast_core::{CommitId, Error, IdSource, Result, Timestamp};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::codec::Identity;
use crate::config::{FORMAT_FILE, LAYOUT};
use crate::error;

const TITLE: &str = "outlast store";
const BACKEND: &str = "sled";
/// A marker is a few short lines; whatever is longer is none.
const MOST_BYTES: u64 = 4096;

/// What the marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) identity: Identity,
    created: Timestamp,
}

impl Marker {
    /// The marker of a store that is made now: the time is in the id.
    pub(crate) fn draw(ids: &dyn IdSource) -> Self {
        let store = ids.uuid();
        let millis = CommitId::of(store).millis();
        Self {
            identity: Identity { store, incarnation: ids.uuid() },
            created: Timestamp::from_micros(millis.saturating_mul(1000)),
        }
    }

    /// The text of its file.
    pub(crate) fn to_text(self) -> String {
        let Identity { store, incarnation } = self.identity;
        let mut text = format!(
            "{TITLE}\nbackend {BACKEND}\nlayout {LAYOUT}\nstore {store}\n\
             incarnation {incarnation}\ncreated {}\n",
            self.created
        );
        let sum = xxh3_64(text.as_bytes());
        // Writing to a text cannot fail.
        let _ = writeln!(text, "sum {sum:016x}");
        text
    }

    /// The marker in a directory; `None` if there is none of ours.
    ///
    /// `Incompatible` if another backend or a newer program wrote it, `Corrupt` if it is damaged.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(FORMAT_FILE);
        let bytes = match fs::metadata(&path) {
            Ok(about) if !about.is_file() || about.len() > MOST_BYTES => return Ok(None),
            Ok(_) => fs::read(&path),
            Err(cause) => Err(cause),
        };
        match bytes {
            Ok(bytes) => Self::of_bytes(dir, &bytes),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(error::io(&path.display().to_string(), cause)),
        }
    }

    fn of_bytes(dir: &Path, bytes: &[u8]) -> Result<Option<Self>> {
        let damaged = || error::damaged(dir, "its FORMAT file does not match its own checksum");
        let Ok(text) = std::str::from_utf8(bytes) else {
            return if bytes.starts_with(TITLE.as_bytes()) { Err(damaged()) } else { Ok(None) };
        };
        if text.lines().next() != Some(TITLE) {
            return Ok(None);
        }
        let (body, sum) = text.rsplit_once("sum ").ok_or_else(damaged)?;
        if sum != format!("{:016x}\n", xxh3_64(body.as_bytes())) {
            return Err(damaged());
        }
        check_origin(dir, body)?;
        let uuid = |name| field(body, name).and_then(|text| Uuid::parse_str(text).ok());
        let identity = match (uuid("store"), uuid("incarnation")) {
            (Some(store), Some(incarnation)) => Identity { store, incarnation },
            _ => return Err(damaged()),
        };
        let created = field(body, "created").and_then(|text| text.parse().ok());
        Ok(Some(Self { identity, created: created.ok_or_else(damaged)? }))
    }
}

fn check_origin(dir: &Path, text: &str) -> Result<()> {
    let place = dir.display();
    let backend = field(text, "backend").unwrap_or("unknown");
    if backend != BACKEND {
        return Err(Error::incompatible(format!(
            "the store at {place} was made by the backend {backend}; open it with that"
        )));
    }
    let layout = field(text, "layout").unwrap_or("unknown");
    if layout != LAYOUT.to_string() {
        return Err(Error::incompatible(format!(
            "the store at {place} has layout {layout}, this program knows {LAYOUT}; \
             use the program that wrote it"
        )));
    }
    Ok(())
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}
