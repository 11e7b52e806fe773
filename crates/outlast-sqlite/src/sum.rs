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

/// A version's checksum as the row `seq` of history holds it, or back again.
///
/// The contract's checksum leaves the revision out, and here that is the number of the row: a row
/// under another number than its own fails the comparison.
pub(crate) fn sealed(checksum: u64, seq: i64, beneath: bool) -> u64 {
    // An odd factor maps no two numbers to one.
    let place = seq.cast_unsigned().rotate_left(1) ^ u64::from(beneath);
    checksum ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The checksum of a migration's text.
pub(crate) fn text_checksum(up: &str, down: &str) -> String {
    let [up, down] = [up, down].map(|text| xxh3_64(text.as_bytes()));
    format!("{up:016x}{down:016x}")
}

#[cfg(test)]
mod tests {
    use super::sealed;

    #[test]
    fn a_seal_belongs_to_one_row() {
        let seal = sealed(7, 1 << 16, false);
        assert_eq!(sealed(seal, 1 << 16, false), 7);
        assert_ne!(sealed(seal, 1 << 16, true), 7);
        for bit in 0..63 {
            assert_ne!(sealed(seal, 1 << 16 ^ 1 << bit, false), 7, "bit {bit}");
        }
    }
}
