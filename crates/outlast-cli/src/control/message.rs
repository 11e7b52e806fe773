//! What goes through the control socket: one line for the request, lines of progress, one line for
//! what came of it. All of them are JSON.

use std::path::PathBuf;

use outlast::migration::{Phase, Step};
use outlast::{Error, ErrorKind, Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::kind_name;

/// No request is longer.
pub(super) const MOST_REQUEST: u64 = 64 * 1024;

/// No answer is longer.
pub(super) const MOST_ANSWER: u64 = 64 * 1024 * 1024;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The database that is meant, if one was named.
    pub(crate) database: Option<String>,
    /// What is to be done.
    pub(crate) order: Order,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Order {
    Status,
    Plan { kind: Option<Kind> },
    Check { kind: Option<Kind>, to: Option<Phase>, last: bool },
    Advance { kind: Option<Kind>, to: Phase, last: bool },
    Rollback { kind: Option<Kind>, to: Phase, drop: Option<Dropped> },
    Hold { kind: Kind, reason: String },
    Resume { kind: Kind },
    Diff { kind: Option<Kind>, repair: bool },
    Quarantine(Quarantine),
    Rehearse { kind: Option<Kind> },
    Doctor,
}

/// What becomes of what the database has, when a kind leaves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Dropped {
    /// It is written to this file first.
    Export(PathBuf),
    /// It is let go of.
    Discard,
}

/// What is done with lineages that were set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Quarantine {
    List,
    Adopt { kind: Kind, lineage: u16 },
    Purge { kind: Kind, lineage: u16 },
}

impl Order {
    /// Whether it changes anything: one such is carried out at a time.
    pub(super) fn changes(&self) -> bool {
        let looks = matches!(
            self,
            Self::Status
                | Self::Plan { .. }
                | Self::Check { .. }
                | Self::Doctor
                | Self::Quarantine(Quarantine::List)
        );
        !looks
    }
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub(crate) enum Told {
    /// Nothing new, and it still goes on.
    Working,
    Backfill {
        kind: Kind,
        done: u64,
        total: u64,
    },
    Compared {
        kind: Kind,
        entities: u64,
        versions: u64,
        entries: u64,
    },
    Rehearsed {
        kind: Kind,
        live_us: u64,
        back_us: u64,
    },
    Moved {
        kind: Kind,
        from: Phase,
        to: Phase,
        held_us: u64,
    },
    Exported {
        records: u64,
    },
}

impl Told {
    /// What a step of an advance says.
    pub(super) fn of(step: &Step<'_>) -> Option<Self> {
        Some(match step {
            Step::Backfill(kind, done, total) => {
                Self::Backfill { kind: (*kind).clone(), done: *done, total: *total }
            }
            Step::Compared(kind, compared) => Self::Compared {
                kind: (*kind).clone(),
                entities: compared.entities,
                versions: compared.versions,
                entries: compared.entries,
            },
            Step::Rehearsed(kind, rehearsed) => Self::Rehearsed {
                kind: (*kind).clone(),
                live_us: rehearsed.live_us,
                back_us: rehearsed.back_us,
            },
            Step::Moved(moved) => Self::Moved {
                kind: moved.kind.clone(),
                from: moved.from,
                to: moved.to,
                held_us: moved.held_us,
            },
            _ => return None,
        })
    }
}

/// One line of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Progress(Told),
    Result(Value),
    Error { kind: String, message: String },
}

impl From<&Error> for Line {
    fn from(error: &Error) -> Self {
        Self::Error { kind: kind_name(error.kind()), message: error.to_string() }
    }
}

/// The error that a line tells of.
pub(super) fn error(kind: &str, message: String) -> Error {
    use ErrorKind::{
        Busy, Closed, Compacted, Conflict, Corrupt, Diverged, Exists, Fenced, Incompatible,
        Indeterminate, Invalid, NotFound, Poisoned, StorageFull, TooLarge, Unavailable,
        Unsupported,
    };

    let kinds = [
        Busy,
        Closed,
        Compacted,
        Conflict,
        Corrupt,
        Diverged,
        Exists,
        Fenced,
        Incompatible,
        Indeterminate,
        Invalid,
        NotFound,
        Poisoned,
        StorageFull,
        TooLarge,
        Unavailable,
        Unsupported,
    ];
    let found = kinds.into_iter().find(|known| kind_name(*known) == kind);
    Error::new(found.unwrap_or(ErrorKind::Internal), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_kind_on_the_way() {
        for kind in [ErrorKind::Conflict, ErrorKind::StorageFull, ErrorKind::NotFound] {
            let Line::Error { kind: name, message } = Line::from(&Error::new(kind, "why")) else {
                panic!("no error");
            };
            assert_eq!(error(&name, message).kind(), kind);
        }
        assert_eq!(error("unheard_of", String::new()).kind(), ErrorKind::Internal);
    }

    #[test]
    fn what_is_no_request_is_not_taken_for_one() {
        let good =
            r#"{"database":null,"order":{"advance":{"kind":"task","to":"live","last":false}}}"#;
        assert!(serde_json::from_str::<Request>(good).is_ok());
        for bad in [
            "",
            "null",
            "{}",
            r#"{"database":null}"#,
            r#"{"database":null,"order":"explode"}"#,
            r#"{"database":null,"order":"status","more":1}"#,
            r#"{"database":null,"order":{"hold":{"kind":"task"}}}"#,
            r#"{"database":null,"order":{"hold":{"kind":"","reason":""}}}"#,
        ] {
            assert!(serde_json::from_str::<Request>(bad).is_err(), "{bad}");
        }
    }
}
