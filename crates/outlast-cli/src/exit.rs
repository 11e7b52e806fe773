//! What the program's exit codes mean: the one table from errors to codes.

use std::process::ExitCode;

use outlast::ErrorKind;

/// What the program ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything asked for was done; of a run, every task completed.
    Completed = 0,
    /// A task of the run failed, or something could not be recovered.
    WorkFailed = 1,
    /// The arguments, the location of the store, the configuration or a file given is wrong.
    Usage = 2,
    /// A signal ended the command, or the run was interrupted and has work left.
    Interrupted = 3,
    /// What was asked for does not fit what is stored.
    Refused = 4,
    /// The store could not be opened, read or written.
    Storage = 5,
    /// Stored data is damaged, or is no database.
    Damaged = 6,
}

/// The same table for people.
pub(crate) const HELP: &str = "\
Exit codes:
  0  everything asked for was done; of a run, every task completed
  1  a task of the run failed, or something could not be recovered
  2  the arguments, the location, the configuration or a file given is wrong
  3  interrupted: a run has work left, or a signal (Ctrl-C) ended the command
  4  refused by what is stored: not found, exists already, held by another run
  5  the store is missing, busy, full, read-only, newer, or belongs to another program
  6  stored data is damaged, or the file is no database";

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid | ErrorKind::TooLarge | ErrorKind::Unsupported => Self::Usage,
            ErrorKind::NotFound
            | ErrorKind::Exists
            | ErrorKind::Conflict
            | ErrorKind::IllegalTransition
            | ErrorKind::RetriesExhausted
            | ErrorKind::VersionGone
            | ErrorKind::Compacted
            | ErrorKind::Fenced => Self::Refused,
            ErrorKind::Corrupt | ErrorKind::Diverged => Self::Damaged,
            // The rest is about the store as a whole, and so is whatever is not known here.
            _ => Self::Storage,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_its_exit_code() {
        let table = [
            (ErrorKind::Invalid, 2),
            (ErrorKind::TooLarge, 2),
            (ErrorKind::Unsupported, 2),
            (ErrorKind::NotFound, 4),
            (ErrorKind::Exists, 4),
            (ErrorKind::Conflict, 4),
            (ErrorKind::IllegalTransition, 4),
            (ErrorKind::RetriesExhausted, 4),
            (ErrorKind::VersionGone, 4),
            (ErrorKind::Compacted, 4),
            (ErrorKind::Fenced, 4),
            (ErrorKind::Unavailable, 5),
            (ErrorKind::Busy, 5),
            (ErrorKind::Indeterminate, 5),
            (ErrorKind::Incompatible, 5),
            (ErrorKind::StorageFull, 5),
            (ErrorKind::Poisoned, 5),
            (ErrorKind::Closed, 5),
            (ErrorKind::Internal, 5),
            (ErrorKind::Corrupt, 6),
            (ErrorKind::Diverged, 6),
        ];
        for (kind, code) in table {
            assert_eq!(Exit::from(kind) as u8, code, "{kind:?}");
        }
    }
}
