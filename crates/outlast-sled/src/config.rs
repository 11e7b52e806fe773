//! What is fixed about a store in sled: names of files, the layout, bounds.

use std::time::Duration;

use outlast_core::Limits;

/// The version of the layout described in `tables`.
pub(crate) const LAYOUT: u32 = 1;

/// What fits.
pub(crate) const LIMITS: Limits = Limits::EMBEDDED;

/// The file whose presence makes a directory a store of ours.
pub(crate) const FORMAT_FILE: &str = "FORMAT";
/// The file the one process that uses the store holds locked.
pub(crate) const LOCK_FILE: &str = "LOCK";
/// The file that says how far the store had come.
pub(crate) const WATERMARK_FILE: &str = "WATERMARK";
/// The file that holds the checksums of sled's files while the store is closed.
pub(crate) const SEAL_FILE: &str = "SEAL";

/// The file sled keeps its log in.
pub(crate) const SLED_LOG: &str = "db";
/// The file sled keeps its parameters in.
pub(crate) const SLED_PARAMETERS: &str = "conf";
/// The directory sled keeps large values in.
pub(crate) const SLED_BLOBS: &str = "blobs";
/// How the names of sled's snapshots begin.
pub(crate) const SLED_SNAPSHOT: &str = "snap.";
/// How the names of snapshots end that sled was interrupted in writing.
pub(crate) const SLED_UNFINISHED: &str = ".generating";

/// How much memory sled may fill with pages.
pub(crate) const CACHE_BYTES: u64 = 128 << 20;

/// How long a write may take once it has begun. sled waits for ever on some failures.
pub(crate) const WRITE_LIMIT: Duration = Duration::from_mins(1);

/// How long a write may take before its waiting is looked after, and the longer each next time.
pub(crate) const FIRST_NUDGE: Duration = Duration::from_millis(250);

/// How long sled may take to let go of its files after it was dropped.
pub(crate) const RELEASE_LIMIT: Duration = Duration::from_secs(10);

/// How long to wait before looking again whether it did.
pub(crate) const RELEASE_PAUSE: Duration = Duration::from_millis(10);

/// Space that must be left on the disk before a write is begun: sled does not survive a full
/// disk, so it is not let near one.
pub(crate) const RESERVED_BYTES: u64 = 2 << 20;

/// Rows looked at for one page of a listing. Readers hold writers off, so they keep it short.
pub(crate) const MOST_EXAMINED: usize = 100_000;
