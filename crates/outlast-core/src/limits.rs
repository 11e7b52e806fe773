//! The bounds a store states and keeps.

use crate::{Error, Result};

/// How much fits. Every backend offers at least [`Limits::FLOOR`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Operations in one batch.
    pub ops: usize,
    /// Bytes of content in one batch.
    pub batch_bytes: usize,
    /// Bytes of JSON in one version of an entity.
    pub state_bytes: usize,
    /// Bytes in one entry of a stream.
    pub entry_bytes: usize,
    /// Attributes of one record or entry.
    pub attributes: usize,
    /// Items in one page of a listing.
    pub page: u32,
}

impl Limits {
    /// What embedded stores offer.
    pub const EMBEDDED: Self = Self {
        ops: 1024,
        batch_bytes: 16 << 20,
        state_bytes: 4 << 20,
        entry_bytes: 1 << 20,
        attributes: 16,
        page: 10_000,
    };

    /// What every store must offer, those with transactions of 128 operations included.
    pub const FLOOR: Self = Self {
        ops: 16,
        batch_bytes: 1 << 20,
        state_bytes: 256 << 10,
        entry_bytes: 64 << 10,
        attributes: 8,
        page: 1000,
    };

    /// `TooLarge`, naming the limit, if there are more than it allows.
    pub fn check(&self, what: &str, count: usize, limit: usize) -> Result<()> {
        if count <= limit {
            return Ok(());
        }
        Err(Error::too_large(format!("{count} {what} are over the limit of {limit}")))
    }
}
