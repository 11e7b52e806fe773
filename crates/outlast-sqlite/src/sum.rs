//! Checksums of what the contract's own checksums do not cover.

use outlast_core::CommitId;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The checksum of what the row that opens a commit says about the commit.
pub(crate) fn commit_checksum(
    revision: u64,
    id: CommitId,
    (at, digest): (i64, i64),
    appended: Option<&[u8]>,
) -> i64 {
    let mut sum = Xxh3::new();
    sum.update(&revision.to_le_bytes());
    sum.update(id.as_bytes());
    sum.update(&at.to_le_bytes());
    sum.update(&digest.to_le_bytes());
    sum.update(appended.unwrap_or_default());
    sum.digest().cast_signed()
}

/// The checksum of a migration's text.
pub(crate) fn text_checksum(up: &str, down: &str) -> String {
    let [up, down] = [up, down].map(|text| xxh3_64(text.as_bytes()));
    format!("{up:016x}{down:016x}")
}
