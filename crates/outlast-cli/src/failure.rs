//! Why a command stopped, and how it is told.

use std::any::Any;
use std::error::Error as _;
use std::io::{self, Write as _};

use outlast::{Error, ErrorKind};
use serde_json::json;

use crate::exit::Exit;
use crate::output::printable;

/// What a command comes to.
pub(crate) type Outcome = Result<Exit, Failure>;

/// Why a command stopped before it was done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something failed.
    Failed(Error),
    /// It was broken off, or waits for something that does not come any more: what that leaves.
    Interrupted(String),
    /// Nobody reads the output any more, as after `| head`: nothing to report.
    Unread,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Failure {
    /// A failed write to standard output.
    pub(crate) fn output(cause: io::Error) -> Self {
        if cause.kind() == io::ErrorKind::BrokenPipe {
            return Self::Unread;
        }
        let kind = match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::StorageFull,
            _ => ErrorKind::Unavailable,
        };
        let error = Error::new(kind, "standard output could not be written");
        Self::Failed(error.with_source(cause))
    }

    /// A failure of something that wrote to standard output by itself.
    pub(crate) fn of_output(error: Error) -> Self {
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
            if cause_kind == Some(io::ErrorKind::BrokenPipe) {
                return Self::Unread;
            }
            source = cause.source();
        }
        Self::Failed(error)
    }

    /// Arguments that make no sense.
    pub(crate) fn usage(refused: &clap::Error) -> Self {
        let text = refused.to_string();
        let first = text.lines().next().unwrap_or_default();
        Self::Failed(Error::invalid(first.strip_prefix("error: ").unwrap_or(first)))
    }

    /// A panic, which is a defect of the program.
    pub(crate) fn defect(cause: &(dyn Any + Send)) -> Self {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        let message = format!(
            "a defect in the program: {text}; report it, with what RUST_BACKTRACE=1 makes of it"
        );
        Self::Failed(Error::internal(message))
    }

    /// Says on standard error what happened, and what the program ends with.
    pub(crate) fn report(&self, json: bool) -> Exit {
        let (exit, text) = match self {
            Self::Unread => return Exit::Completed,
            Self::Interrupted(left) if json => {
                (Exit::Interrupted, object("interrupted", left, &[], Exit::Interrupted))
            }
            Self::Interrupted(left) => {
                (Exit::Interrupted, format!("outlast: interrupted: {}\n", printable(left)))
            }
            Self::Failed(error) => {
                let exit = Exit::from(error.kind());
                (exit, if json { as_json(error, exit) } else { as_text(error) })
            }
        };
        // Nobody is left to tell when standard error is gone too.
        let _ = io::stderr().write_all(text.as_bytes());
        exit
    }
}

/// What lies behind an error, without what its message says already.
fn causes(error: &Error) -> Vec<String> {
    let mut said = error.to_string();
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !said.contains(&text) {
            said.push_str(&text);
            causes.push(text);
        }
        source = cause.source();
    }
    causes
}

/// One line, and one more if something caused it.
fn as_text(error: &Error) -> String {
    let what = printable(&error.to_string()).into_owned();
    match causes(error).join(": ") {
        causes if causes.is_empty() => format!("outlast: {what}\n"),
        causes => format!("outlast: {what}\n  caused by: {}\n", printable(&causes)),
    }
}

fn as_json(error: &Error, exit: Exit) -> String {
    object(&kind_name(error.kind()), &error.to_string(), &causes(error), exit)
}

fn object(kind: &str, message: &str, causes: &[String], exit: Exit) -> String {
    let error = json!({"error": {
        "kind": kind,
        "message": message,
        "causes": causes,
        "exit_code": exit as u8,
    }});
    format!("{error}\n")
}

/// The kind in lower snake case: `NotFound` is `not_found`.
pub(crate) fn kind_name(kind: ErrorKind) -> String {
    let mut name = String::new();
    for letter in format!("{kind:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_and_one_for_its_causes() {
        let cause = Error::invalid("inner\nline\u{1b}[31m");
        let error = Error::corrupt("task/7 is damaged").with_source(cause);
        let text = as_text(&error);
        assert_eq!(text.lines().count(), 2);
        assert!(text.starts_with("outlast: task/7 is damaged\n  caused by: inner\\nline\\u{1b}"));
        assert_eq!(as_text(&Error::busy("held")), "outlast: held\n");
    }

    #[test]
    fn a_panic_is_told_in_one_line() {
        let cause = std::panic::catch_unwind(|| panic!("no such {}", "thing")).unwrap_err();
        let Failure::Failed(error) = Failure::defect(&*cause) else { unreachable!() };
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().starts_with("a defect in the program: no such thing; report"));
    }

    #[test]
    fn an_error_as_json_names_kind_and_exit_code() {
        let error = Error::new(ErrorKind::NotFound, "task/7 does not exist");
        let json: serde_json::Value =
            serde_json::from_str(&as_json(&error, Exit::Refused)).unwrap();
        assert_eq!(json["error"]["kind"], "not_found");
        assert_eq!(json["error"]["exit_code"], 4);
        assert_eq!(json["error"]["message"], "task/7 does not exist");
    }
}
