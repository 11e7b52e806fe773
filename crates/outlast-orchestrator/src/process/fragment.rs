//! A piece of captured output.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// What the task wrote to its standard output.
    Stdout,
    /// What the task wrote to its standard error.
    Stderr,
    /// What this program has to say about the capture itself.
    System,
}

impl LogStream {
    /// Its name as it is stored: `stdout`, `stderr` or `system`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::System => "system",
        }
    }
}

impl fmt::Display for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A piece of one stream, byte for byte as it was written. It may end in the middle of a line or
/// of a character, and may hold anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Where it comes from.
    pub stream: LogStream,
    /// How many bytes of the same stream came before it.
    pub byte_offset: u64,
    /// The bytes; never empty.
    pub data: Vec<u8>,
    /// How many lines end in it.
    pub line_count: u64,
}

impl Fragment {
    /// An empty fragment at its place.
    pub(super) fn at(stream: LogStream, byte_offset: u64) -> Self {
        Self { stream, byte_offset, data: Vec::new(), line_count: 0 }
    }

    /// Continues it.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.line_count += (bytes.split(|byte| *byte == b'\n').count() - 1) as u64;
    }
}
