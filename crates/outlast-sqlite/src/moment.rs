//! Whether anybody has committed since, without asking SQLite.
//!
//! SQLite keeps an index of its log in a file beside the store, which all processes map into their
//! memory. Its first bytes are two copies of a header that each commit replaces before it is over
//! (<https://www.sqlite.org/walformat.html>): a number that grows with it, how far the log is
//! filled, and checksums. While the header is what it was, the content is what it was. So what is
//! known in memory can be used as long as it is, and nothing is ever older than the call.
//!
//! Where the header cannot be read, nothing is known and everything is asked of SQLite.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::file::beside;
use crate::kept::kept;

/// The bytes of one copy of the header.
const COPY: usize = 48;

/// The layout of the header that is understood here.
const LAYOUT: u32 = 3_007_000;

/// The content of a store at one moment, as the header states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    header: [u8; COPY],
    /// Headers of files that came one after the other may look alike.
    life: u64,
}

impl Moment {
    /// The moment in the bytes of both copies; `None` while somebody is writing them.
    fn of(bytes: &[u8; 2 * COPY], life: u64) -> Option<Self> {
        let (one, other) = bytes.split_at(COPY);
        let moment = Self { header: one.try_into().ok()?, life };
        let whole = one == other && moment.number(0) == LAYOUT && one.get(12) == Some(&1);
        whole.then_some(moment)
    }

    fn number(&self, at: usize) -> u32 {
        let bytes = self.header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_ne_bytes(bytes.unwrap_or_default())
    }

    /// How many pages the log holds.
    pub(crate) fn pages_in_log(&self) -> u32 {
        self.number(16)
    }

    /// Whether exactly one commit lies between the two.
    pub(crate) fn is_next_of(&self, before: &Self) -> bool {
        self.life == before.life && self.number(8) == before.number(8).wrapping_add(1)
    }
}

/// Reads the header for as long as the connection that was open then is.
#[derive(Debug)]
pub(crate) struct Header {
    file: Arc<File>,
    life: u64,
}

static LIVES: AtomicU64 = AtomicU64::new(0);

impl Header {
    /// The header of the store at `path`, to which a connection is open.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let file = kept(&beside(path, "-shm")).ok()?;
        Some(Self { file, life: LIVES.fetch_add(1, Ordering::Relaxed) })
    }

    /// The moment it is; `None` if that cannot be told just now.
    pub(crate) fn now(&self) -> Option<Moment> {
        let mut bytes = [0; 2 * COPY];
        read(&self.file, &mut bytes)?;
        Moment::of(&bytes, self.life)
    }
}

#[cfg(target_os = "linux")]
fn read(file: &File, bytes: &mut [u8]) -> Option<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, 0).ok()
}

/// Elsewhere nobody promises that a file and its mapping are the same at any moment.
#[cfg(not(target_os = "linux"))]
fn read(_: &File, _: &mut [u8]) -> Option<()> {
    None
}
