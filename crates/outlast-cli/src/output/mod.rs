//! Everything the program says.

mod progress;
mod steps;
mod table;
mod text;

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};

use outlast::Timestamp;
use serde::Serialize;

use crate::failure::Failure;
pub(crate) use progress::Progress;
pub(crate) use steps::Steps;
pub(crate) use table::Table;
pub(crate) use text::{Cleaner, printable};

/// Standard output. A write that fails ends the command, quietly if nobody reads any more.
#[derive(Debug)]
pub(crate) struct Output {
    out: BufWriter<Stdout>,
    json: bool,
    terminal: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let out = BufWriter::with_capacity(64 * 1024, io::stdout());
        Self { out, json, terminal: io::stdout().is_terminal() }
    }

    /// Whether JSON was asked for.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a terminal shows it.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(Failure::output)
    }

    /// One line of text, made harmless.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.out, "{}", printable(text)).map_err(Failure::output)
    }

    /// One line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let written = serde_json::to_writer(&mut self.out, value).map_err(io::Error::from);
        written.and_then(|()| writeln!(self.out)).map_err(Failure::output)
    }

    /// Lets out what was held back.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::output)
    }
}

/// Something worth knowing that is not a result: a line on standard error.
pub(crate) fn note(text: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(io::stderr(), "outlast: {}", printable(text));
}

/// The word a variant is written as, with spaces: `on_size` is "on size".
pub(crate) fn words(variant: &impl Serialize) -> String {
    let json = serde_json::to_string(variant).unwrap_or_default();
    json.trim_matches('"').replace('_', " ")
}

/// A moment to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}
