//! Reads an export and checks all of it, line by line.

use outlast_core::{Attributes, Entry, Error, ErrorKind, Limits, Result, StreamExtent, Versioned};
use serde::de::DeserializeOwned;
use tokio::io::AsyncBufRead;
use xxhash_rust::xxh3::xxh3_64;

use super::check::Checker;
use super::format::{Envelope, FORMAT, Header, Line, VERSION, Which};
use super::lines::Lines;
use super::tally::Tally;

/// What a line brings.
pub(super) enum Item {
    Version(Box<Versioned>),
    Transient(Attributes),
    Stream(StreamExtent),
    Entry(Entry),
}

pub(super) struct Reader<R> {
    lines: Lines<R>,
    checker: Checker,
}

impl<R: AsyncBufRead + Unpin> Reader<R> {
    /// Reads the first line. `Incompatible` for a format this program does not know.
    pub(super) async fn open(input: R, limits: Limits) -> Result<(Self, Header)> {
        let mut lines = Lines::new(input);
        if !lines.advance().await? {
            return Err(lines.invalid("the input is empty"));
        }
        let header = header(lines.line()).map_err(|error| lines.at(error))?;
        Ok((Self { lines, checker: Checker::new(limits) }, header))
    }

    /// What was read so far.
    pub(super) fn tally(&self) -> Tally {
        self.checker.tally
    }

    /// The next item; `None` after the last line, once everything was found in order.
    pub(super) async fn next(&mut self) -> Result<Option<Item>> {
        if !self.lines.advance().await? {
            return Err(self
                .lines
                .invalid("the last line of an export is missing; it was cut off"));
        }
        let line = parse::<Line>(self.lines.line()).map_err(|error| self.lines.at(error))?;
        if let Line::End(end) = line {
            let checked = self.checker.end(&end, self.lines.sum());
            checked.map_err(|error| self.lines.at(error))?;
            if self.lines.advance().await? {
                return Err(self.lines.invalid("something follows after the last line"));
            }
            return Ok(None);
        }
        self.lines.absorb();
        let item = self.checker.item(line).map_err(|error| self.lines.at(error))?;
        Ok(Some(item))
    }
}

fn header(line: &[u8]) -> Result<Header> {
    let foreign = |_| Error::invalid("it is not the first line of an export");
    let envelope: Envelope = parse(line).map_err(foreign)?;
    let text = envelope.header.get().as_bytes();
    let which: Which = parse(text).map_err(foreign)?;
    if which.format != FORMAT {
        return Err(Error::invalid(format!("it says {:?} instead of {FORMAT:?}", which.format)));
    }
    if which.version != VERSION {
        return Err(Error::incompatible(format!(
            "it is of version {} of the format, this program reads version {VERSION}; \
             use the matching program",
            which.version
        )));
    }
    if xxh3_64(text) != envelope.checksum.0 {
        return Err(Error::invalid("its checksum differs: the line was damaged or edited"));
    }
    parse(text)
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T> {
    serde_json::from_slice(line).map_err(|cause| {
        // The position within the line is of use, its own line number is always 1.
        let (column, cause_text) = (cause.column(), cause.to_string());
        let why = cause_text.split(" at line ").next().unwrap_or_default();
        let message = format!("it cannot be read from column {column} on: {why}");
        Error::new(ErrorKind::Invalid, message).with_source(cause)
    })
}
