//! The envelope every row lies in: a format number, the content, and the checksum of both.

use std::fmt::Display;

use outlast_core::{Damage, Error, planted};
use sled::IVec;
use xxhash_rust::xxh3::Xxh3;

use super::Content;
use crate::tables::Table;

const FORMAT: u8 = 1;
const CHECKSUM_BYTES: usize = 8;

/// Why stored bytes cannot be trusted, and as much of them as there is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    why: String,
    bytes: Vec<u8>,
}

impl Flaw {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), bytes: Vec::new() }
    }

    /// The flaw of bytes that are whole and yet break a rule of the contract.
    #[allow(clippy::needless_pass_by_value)]
    pub(crate) fn rule(error: Error) -> Self {
        Self::new(error.to_string())
    }

    fn of(why: impl Into<String>, bytes: &[u8]) -> Self {
        Self { why: why.into(), bytes: bytes.iter().take(Damage::MAX_BYTES).copied().collect() }
    }

    /// The damage it is to `what`, which lies in `place`.
    pub(crate) fn damage(self, what: impl Display, place: impl Into<String>) -> Damage {
        Damage::new(what, place, self.why, &self.bytes)
    }
}

/// A row whose checksum is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row(IVec);

impl Row {
    /// The row of a content, ready to be stored under `key`.
    pub(crate) fn seal(table: Table, key: &[u8], content: &impl Content) -> Self {
        let mut bytes = vec![FORMAT];
        bytes.extend(content.to_payload());
        let sum = checksum(table, key, &bytes);
        bytes.extend(sum.to_be_bytes());
        Self(IVec::from(bytes))
    }

    /// The row that lies stored under `key`.
    pub(crate) fn open(table: Table, key: &[u8], bytes: IVec) -> Result<Self, Flaw> {
        let Some((body, sum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
            return Err(Flaw::of("it is cut short", &bytes));
        };
        let agrees = checksum(table, key, body) == u64::from_be_bytes(*sum);
        if !agrees && !planted("checksum-skipped") {
            return Err(Flaw::of("its checksum differs", &bytes));
        }
        match body.first() {
            Some(&FORMAT) => Ok(Self(bytes)),
            Some(format) => Err(Flaw::of(format!("its format {format} is not known here"), &bytes)),
            None => Err(Flaw::of("it is empty", &bytes)),
        }
    }

    /// The checksum in the last bytes of a row, right or wrong.
    pub(crate) fn sum(bytes: &[u8]) -> u64 {
        bytes.last_chunk::<CHECKSUM_BYTES>().map_or(0, |sum| u64::from_be_bytes(*sum))
    }

    /// What it says.
    pub(crate) fn content<C: Content>(&self, key: &[u8]) -> Result<C, Flaw> {
        let end = self.0.len().saturating_sub(CHECKSUM_BYTES);
        let payload = self.0.get(1..end).unwrap_or_default();
        C::from_payload(key, payload).map_err(|flaw| Flaw::of(flaw.why, &self.0))
    }

    pub(crate) fn into_bytes(self) -> IVec {
        self.0
    }
}

fn checksum(table: Table, key: &[u8], body: &[u8]) -> u64 {
    let mut sum = Xxh3::new();
    sum.update(table.name().as_bytes());
    sum.update(&[0]);
    sum.update(&(key.len() as u64).to_be_bytes());
    sum.update(key);
    sum.update(body);
    sum.digest()
}
