//! How far the store had come: sled loses everything after a damaged record and says nothing.
//!
//! The mark is written after each transaction became durable, so it is never ahead of the data.
//! It is not synced itself each time: after a loss of power it may be behind by as much as the
//! kernel had not written yet, and only losses beyond that go unnoticed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use outlast_core::{Result, Revision};
use xxhash_rust::xxh3::xxh3_64;

use crate::codec::State;
use crate::config::WATERMARK_FILE;
use crate::error;

/// Two places are written in turn, so that a torn write leaves the one before.
const PLACES: [u64; 2] = [0, 4096];
const MARK_BYTES: usize = 24;

/// A point the store had reached durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) transaction: u64,
    pub(crate) revision: Revision,
}

/// The file the mark is kept in.
#[derive(Debug)]
pub(crate) struct Watermark {
    file: File,
}

impl Mark {
    /// The point a state stands for.
    pub(crate) fn of(state: &State) -> Self {
        Self { transaction: state.transaction, revision: state.revision }
    }

    fn to_bytes(self) -> [u8; MARK_BYTES] {
        let mut bytes = Vec::with_capacity(MARK_BYTES);
        bytes.extend(self.transaction.to_be_bytes());
        bytes.extend(self.revision.0.to_be_bytes());
        bytes.extend(xxh3_64(&bytes).to_be_bytes());
        bytes.try_into().unwrap_or([0; MARK_BYTES])
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<8>()?;
        let (transaction, revision) = body.split_first_chunk::<8>()?;
        (xxh3_64(body) == u64::from_be_bytes(*sum)).then_some(())?;
        Some(Self {
            transaction: u64::from_be_bytes(*transaction),
            revision: Revision(u64::from_be_bytes(revision.try_into().ok()?)),
        })
    }
}

impl Watermark {
    /// Makes the file of a new store.
    pub(crate) fn create(dir: &Path) -> io::Result<()> {
        let path = dir.join(WATERMARK_FILE);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let watermark = Self { file };
        let mark = Mark::of(&State::default());
        for place in PLACES {
            watermark.file.write_all_at(&mark.to_bytes(), place)?;
        }
        watermark.sync()
    }

    /// Opens the file and reads the mark in it; `Corrupt` if it is gone or says nothing.
    pub(crate) fn open(dir: &Path) -> Result<(Self, Mark)> {
        let path = dir.join(WATERMARK_FILE);
        let damaged = |why| error::damaged(dir, format!("its file {WATERMARK_FILE} {why}"));
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("is gone"));
            }
            Err(cause) => return Err(error::io(&path.display().to_string(), cause)),
        };
        let mark = PLACES.iter().filter_map(|place| {
            let start = usize::try_from(*place).ok()?;
            Mark::of_bytes(bytes.get(start..start + MARK_BYTES)?)
        });
        let mark = mark.max().ok_or_else(|| damaged("does not match its own checksum"))?;
        let file = OpenOptions::new().write(true).open(&path);
        let file = file.map_err(|cause| error::io(&path.display().to_string(), cause))?;
        Ok((Self { file }, mark))
    }

    /// Moves the mark to a point that is durable.
    pub(crate) fn advance(&self, mark: Mark) -> io::Result<()> {
        let place = if mark.transaction.is_multiple_of(2) { PLACES[0] } else { PLACES[1] };
        self.file.write_all_at(&mark.to_bytes(), place)
    }

    /// Makes the mark itself durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}
