//! The notes of `interpose.c`.

use std::path::{Path, PathBuf};
use std::rc::Rc;

/// One change to a file or folder that is watched, or something that was said on standard output.
#[derive(Clone, Debug)]
pub enum Event {
    /// A file came into being.
    Created {
        /// Its name.
        path: PathBuf,
        /// Its number.
        inode: u64,
    },
    /// Bytes were written.
    Wrote {
        /// To this file.
        inode: u64,
        /// From this place on.
        offset: u64,
        /// These.
        data: Rc<[u8]>,
    },
    /// A file was made longer or shorter.
    Cut {
        /// This file.
        inode: u64,
        /// It has so many bytes now.
        bytes: u64,
    },
    /// A file or folder was synced.
    Synced {
        /// Its name.
        path: PathBuf,
        /// Its number.
        inode: u64,
    },
    /// A sync failed: what it should have kept is lost.
    FailedSync {
        /// The number of the file.
        inode: u64,
    },
    /// A file or folder got another name.
    Renamed(PathBuf, PathBuf),
    /// A file got a second name.
    Linked(PathBuf, PathBuf),
    /// A name was removed.
    Removed(PathBuf),
    /// A folder was made.
    MadeFolder(PathBuf),
    /// The process said something.
    Said(String),
}

const HEADER: usize = 40;

/// Reads notes. A note that was cut off by a kill is left out.
pub fn read(path: &Path) -> Vec<Event> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut rest = bytes.as_slice();
    let mut events = Vec::new();
    while let Some((event, after)) = one(rest) {
        rest = after;
        events.push(event);
    }
    events
}

fn one(bytes: &[u8]) -> Option<(Event, &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let (inode, offset) = (word(header, 8)?, word(header, 16)?);
    let lengths = word(header, 24)?;
    let (from, to) = (lengths & 0xffff_ffff, lengths >> 32);
    let (from, rest) = rest.split_at_checked(usize::try_from(from).ok()?)?;
    let (to, rest) = rest.split_at_checked(usize::try_from(to).ok()?)?;
    let (data, rest) = rest.split_at_checked(usize::try_from(word(header, 32)?).ok()?)?;
    let path = |bytes: &[u8]| PathBuf::from(String::from_utf8_lossy(bytes).into_owned());
    let event = match header.first()? {
        b'O' => Event::Created { path: path(from), inode },
        b'W' => Event::Wrote { inode, offset, data: data.into() },
        b'T' => Event::Cut { inode, bytes: offset },
        b'S' => Event::Synced { path: path(from), inode },
        b'F' => Event::FailedSync { inode },
        b'R' => Event::Renamed(path(from), path(to)),
        b'L' => Event::Linked(path(from), path(to)),
        b'U' | b'D' => Event::Removed(path(from)),
        b'M' => Event::MadeFolder(path(from)),
        b'A' => Event::Said(String::from_utf8_lossy(data).into_owned()),
        other => panic!("a note of kind {other}"),
    };
    Some((event, rest))
}

fn word(header: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?))
}

/// How many calls of each class a clean run made, as the faults count them: writes, syncs, names.
pub fn calls(events: &[Event]) -> (u64, u64, u64) {
    let (mut writes, mut syncs, mut names) = (0, 0, 0);
    for event in events {
        match event {
            Event::Wrote { .. } | Event::Cut { .. } => writes += 1,
            Event::Synced { .. } | Event::FailedSync { .. } => syncs += 1,
            Event::Said(_) => {}
            _ => names += 1,
        }
    }
    (writes, syncs, names)
}
