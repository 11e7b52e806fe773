//! Reads lines, numbers and sums them.

use outlast_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use xxhash_rust::xxh3::Xxh3;

/// No line is longer: it holds one version or one entry, and those have limits.
const LONGEST: u64 = 64 << 20;

pub(super) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
    sum: Xxh3,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, line: Vec::new(), number: 0, sum: Xxh3::new() }
    }

    /// Reads the next line; `false` at the end of the input.
    pub(super) async fn advance(&mut self) -> Result<bool> {
        self.number += 1;
        self.line.clear();
        let mut bounded = (&mut self.input).take(LONGEST);
        let read = bounded.read_until(b'\n', &mut self.line).await.map_err(unreadable)?;
        if self.line.last() == Some(&b'\n') {
            return Ok(true);
        }
        match read as u64 {
            0 => Ok(false),
            LONGEST => Err(self.invalid(&format!("it is longer than {LONGEST} bytes"))),
            _ => Err(self.invalid("the input ends in the middle of it; it was cut off")),
        }
    }

    /// The present line, the line break included.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Takes the present line into the sum.
    pub(super) fn absorb(&mut self) {
        self.sum.update(&self.line);
    }

    pub(super) fn sum(&self) -> u64 {
        self.sum.digest()
    }

    /// What is wrong with the present line, under its number.
    pub(super) fn invalid(&self, why: &str) -> Error {
        Error::invalid(format!("line {} of the input: {why}", self.number))
    }

    /// Puts the number of the present line before an error.
    pub(super) fn at(&self, error: Error) -> Error {
        error.context(format!("line {} of the input", self.number))
    }
}

/// Sorts an error of the input into the kinds.
pub(super) fn unreadable(cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the input cannot be read: {cause}"))
        .with_source(cause)
}
