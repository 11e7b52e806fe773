//! From SQLite's result codes to what the caller does next.

use std::fmt;
use std::path::{Path, PathBuf};

use outlast_core::{Error, ErrorKind};

/// What was going on when SQLite reported an error: it decides what may have been applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Opening, or changing the layout.
    Opening,
    /// Reading.
    Reading,
    /// Writing, before the commit: nothing is applied.
    Writing,
    /// Committing.
    Committing,
}

/// The file an error is about.
#[derive(Clone, Debug)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// A relative path is said to be one: SQLite reads `:memory:` and `file:` as something else.
    pub(crate) fn new(path: &Path) -> Self {
        Self(if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) })
    }

    /// Where the file is, links followed.
    pub(crate) fn resolved(&self) -> Result<Self, Error> {
        let resolved = self.0.canonicalize();
        resolved.map(Self).map_err(|cause| self.io_error("the file cannot be found", cause))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Translates an error of the driver.
    pub(crate) fn error(&self, cause: sqlx::Error, doing: Doing) -> Error {
        let Some(code) = result_code(&cause) else {
            return self.driver_error(cause, doing);
        };
        let (kind, what) = kind_of(code, doing);
        Error::new(kind, format!("{self}: {what} (sqlite code {code})")).with_source(cause)
    }

    /// Translates an error of the file system.
    pub(crate) fn io_error(&self, what: &str, cause: std::io::Error) -> Error {
        let kind = match cause.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                ErrorKind::StorageFull
            }
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("{self}: {what}")).with_source(cause)
    }

    fn driver_error(&self, cause: sqlx::Error, doing: Doing) -> Error {
        let (kind, what) = match (&cause, doing) {
            (sqlx::Error::Io(_), Doing::Opening | Doing::Reading) => {
                (ErrorKind::Unavailable, "could not be reached")
            }
            (sqlx::Error::WorkerCrashed, Doing::Writing | Doing::Committing) => {
                (ErrorKind::Indeterminate, "the connection ended while writing")
            }
            (sqlx::Error::WorkerCrashed, _) => (ErrorKind::Unavailable, "the connection ended"),
            _ => (ErrorKind::Internal, "the driver failed"),
        };
        Error::new(kind, format!("{self}: {what}")).with_source(cause)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.display(), f)
    }
}

/// The extended result code, if the error came from SQLite.
pub(crate) fn result_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn kind_of(code: i32, doing: Doing) -> (ErrorKind, &'static str) {
    match code & 0xff {
        5 | 6 => (ErrorKind::Busy, "another process holds it; retry after a pause"),
        7 => (ErrorKind::Unavailable, "out of memory"),
        8 => (ErrorKind::Unavailable, "it can only be read; check the permissions"),
        10 => match doing {
            Doing::Opening | Doing::Reading => (ErrorKind::Unavailable, "reading the file failed"),
            Doing::Writing => (ErrorKind::Poisoned, "writing the file failed; open it again"),
            Doing::Committing => (
                ErrorKind::Indeterminate,
                "the commit failed half way; open it again and repeat the commit",
            ),
        },
        11 => (ErrorKind::Corrupt, "the file is damaged; restore it from a backup"),
        13 => (ErrorKind::StorageFull, "the disk is full; free space and retry"),
        14 => (ErrorKind::Unavailable, "the file cannot be opened"),
        18 => (ErrorKind::TooLarge, "a value is larger than SQLite takes"),
        26 => (ErrorKind::Corrupt, "the file is not a database"),
        _ => (ErrorKind::Internal, "a statement failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_name_what_the_caller_does_next() {
        let table = [
            (5, Doing::Writing, ErrorKind::Busy),
            (517, Doing::Writing, ErrorKind::Busy),
            (13, Doing::Committing, ErrorKind::StorageFull),
            (10, Doing::Reading, ErrorKind::Unavailable),
            (778, Doing::Writing, ErrorKind::Poisoned),
            (1034, Doing::Committing, ErrorKind::Indeterminate),
            (11, Doing::Reading, ErrorKind::Corrupt),
            (26, Doing::Opening, ErrorKind::Corrupt),
            (14, Doing::Opening, ErrorKind::Unavailable),
            (1544, Doing::Writing, ErrorKind::Unavailable),
            (1, Doing::Reading, ErrorKind::Internal),
        ];
        for (code, doing, kind) in table {
            assert_eq!(kind_of(code, doing).0, kind, "code {code} while {doing:?}");
        }
    }
}
