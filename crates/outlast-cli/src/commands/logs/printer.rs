//! Writing entries of a log in the form that was asked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outlast::{AttrValue, Entry, Result, Seq, Timestamp};
use serde::Serialize;

use super::tail::Start;
use crate::failure::Failure;
use crate::output::{Cleaner, Output, note};

/// Writes entries.
pub(super) struct Printer<'a> {
    out: &'a mut Output,
    form: Form,
    /// Whether notes of the capture are what was asked for.
    notes_wanted: bool,
    start: Option<Start>,
}

enum Form {
    Bytes,
    /// For a terminal: the streams are cut apart, so each has a cleaner of its own.
    Clean {
        stdout: Cleaner,
        others: Cleaner,
    },
    Json,
}

#[derive(Serialize)]
struct View<'a> {
    seq: Seq,
    stream: &'a str,
    at: Timestamp,
    byte_offset: Option<&'a AttrValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// The value of an attribute.
fn attr<'a>(entry: &'a Entry, name: &str) -> Option<&'a AttrValue> {
    entry.attrs.iter().find(|(known, _)| known.as_str() == name).map(|(_, value)| value)
}

fn stream(entry: &Entry) -> &str {
    match attr(entry, "stream") {
        Some(AttrValue::Text(stream)) => stream,
        _ => "stdout",
    }
}

/// Whether it is something the capture says, and not the task.
pub(super) fn is_note(entry: &Entry) -> bool {
    stream(entry) == "system"
}

impl<'a> Printer<'a> {
    pub(super) fn new(raw: bool, one_stream: bool, out: &'a mut Output) -> Self {
        let form = if out.is_json() {
            Form::Json
        } else if out.is_terminal() && !raw {
            Form::Clean { stdout: Cleaner::default(), others: Cleaner::default() }
        } else {
            Form::Bytes
        };
        Self { out, form, notes_wanted: one_stream, start: None }
    }

    /// Begins at this place only.
    pub(super) fn skip(&mut self, start: Start) {
        self.start = Some(start);
    }

    pub(super) fn print(&mut self, entry: &Entry) -> Result<(), Failure> {
        let skip = match self.start.take() {
            Some(start) if start.seq == entry.seq => start.skip,
            // Notes may come before the place where the lines begin.
            Some(start) if start.seq > entry.seq => {
                self.start = Some(start);
                return Ok(());
            }
            _ => 0,
        };
        let data = entry.data.get(skip..).unwrap_or_default();
        if matches!(self.form, Form::Json) {
            return self.print_json(entry, data);
        }
        if is_note(entry) && !self.notes_wanted {
            String::from_utf8_lossy(data).lines().for_each(note);
            return Ok(());
        }
        match &mut self.form {
            Form::Clean { stdout, others } => {
                let cleaner = if stream(entry) == "stdout" { stdout } else { others };
                self.out.bytes(cleaner.clean(data).as_bytes())
            }
            _ => self.out.bytes(data),
        }
    }

    fn print_json(&mut self, entry: &Entry, data: &[u8]) -> Result<(), Failure> {
        let text = std::str::from_utf8(data).ok();
        self.out.json(&View {
            seq: entry.seq,
            stream: stream(entry),
            at: entry.at,
            byte_offset: attr(entry, "byte_offset"),
            text,
            base64: text.is_none().then(|| STANDARD.encode(data)),
        })
    }

    /// Lets out what was held back until it could be judged.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        if let Form::Clean { stdout, others } = &mut self.form {
            let rest = stdout.finish() + &others.finish();
            self.out.bytes(rest.as_bytes())?;
        }
        self.out.flush()
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush()
    }
}
