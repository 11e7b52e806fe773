//! Writes lines, counts and sums them.

use outlast_core::{Entry, Error, ErrorKind, Result, StreamExtent, Versioned};
use serde_json::value::to_raw_value;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::format::{
    EndLine, EntryLine, Envelope, Header, Line, StreamLine, Sum, TransientLine, VersionLine,
};
use super::tally::Tally;

/// So many bytes are gathered before they are written.
const GATHERED: usize = 64 << 10;

pub(super) struct Writer<W> {
    out: W,
    buffer: Vec<u8>,
    sum: Xxh3,
    pub(super) tally: Tally,
    pub(super) bytes: u64,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(out: W) -> Self {
        let (buffer, sum, tally) = (Vec::new(), Xxh3::new(), Tally::default());
        Self { out, buffer, sum, tally, bytes: 0 }
    }

    pub(super) async fn header(&mut self, header: &Header) -> Result<()> {
        let header = to_raw_value(header).map_err(unwritable)?;
        let checksum = Sum(xxh3_64(header.get().as_bytes()));
        self.append(&Envelope { header, checksum })?;
        self.pass_on().await
    }

    pub(super) async fn version(&mut self, version: &Versioned, first: bool) -> Result<()> {
        self.tally.entities += u64::from(first);
        self.tally.versions += 1;
        self.line(&Line::Version(Box::new(VersionLine::of(version)?))).await
    }

    pub(super) async fn transient(&mut self, attrs: outlast_core::Attributes) -> Result<()> {
        self.line(&Line::Transient(TransientLine::of(attrs))).await
    }

    pub(super) async fn stream(&mut self, extent: &StreamExtent) -> Result<()> {
        self.tally.streams += 1;
        self.line(&Line::Stream(StreamLine::of(extent)?)).await
    }

    pub(super) async fn entry(&mut self, entry: Entry) -> Result<()> {
        self.tally.entries += 1;
        self.line(&Line::Entry(EntryLine::of(entry))).await
    }

    /// Writes the last line and sees to it that everything has left this process.
    pub(super) async fn end(&mut self) -> Result<()> {
        let checksum = Sum(self.sum.digest());
        self.append(&Line::End(EndLine { tally: self.tally, checksum }))?;
        self.pass_on().await?;
        self.out.flush().await.map_err(failed)
    }

    async fn line(&mut self, line: &Line) -> Result<()> {
        let start = self.buffer.len();
        self.append(line)?;
        self.sum.update(self.buffer.get(start..).unwrap_or_default());
        if self.buffer.len() < GATHERED { Ok(()) } else { self.pass_on().await }
    }

    fn append(&mut self, line: &impl serde::Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.buffer, line).map_err(unwritable)?;
        self.buffer.push(b'\n');
        Ok(())
    }

    async fn pass_on(&mut self) -> Result<()> {
        self.out.write_all(&self.buffer).await.map_err(failed)?;
        self.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

fn unwritable(cause: serde_json::Error) -> Error {
    Error::internal("a line of the export cannot be written as JSON").with_source(cause)
}

/// Sorts an error of the output into the kinds.
pub(super) fn failed(cause: std::io::Error) -> Error {
    let kind = match cause.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            ErrorKind::StorageFull
        }
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("the export cannot be written: {cause}")).with_source(cause)
}
