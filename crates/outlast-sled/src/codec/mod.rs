//! How keys and rows are written as bytes.
//!
//! Bytes that were not written here are told apart, never trusted and never a reason to panic:
//! every row ends in a checksum over the table, the key and the content, so that a row that was
//! changed, cut short or put under another key is noticed.

mod bytes;
mod commit;
mod entry;
mod head;
pub(crate) mod key;
mod name;
mod row;
mod state;
#[cfg(test)]
mod tests;
mod version;

pub(crate) use commit::CommitRow;
pub(crate) use head::HeadRow;
pub(crate) use name::name;
pub(crate) use row::{Flaw, Row};
pub(crate) use state::{Extent, Identity, State};
pub(crate) use version::VersionRow;

pub(crate) use bytes::{Reader, Writer};

/// What can lie in a row.
pub(crate) trait Content: Sized {
    /// Writes it without what its key says already.
    fn write(&self, out: &mut Writer);

    /// Reads it back; `key` is the key it lies under.
    fn read(key: &[u8], from: &mut Reader<'_>) -> Result<Self, Flaw>;

    /// The content as the bytes of a row.
    fn to_payload(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.write(&mut out);
        out.into_bytes()
    }

    /// The content of a row's bytes, all of which must belong to it.
    fn from_payload(key: &[u8], payload: &[u8]) -> Result<Self, Flaw> {
        let mut from = Reader::new(payload);
        let content = Self::read(key, &mut from)?;
        from.end()?;
        Ok(content)
    }
}
