//! Where a store is, as text.
//!
//! The text is a scheme and a literal path: nothing is percent-decoded, so a path with `%20` in
//! it names a file with `%20` in its name. What an error shows of a refused text is its scheme
//! at most, because the rest may hold a password.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use outlast_core::{Error, Result};

/// Where a store is, and with it which backend keeps it.
///
/// As text it is `memory:`, `sqlite:PATH` or `sled:PATH`; `sqlite://PATH` is the same place as
/// `sqlite:PATH`, and a relative path is relative to the working directory. `Invalid` for
/// anything else. A path that is not UTF-8, or holds a `?`, cannot be written as text; make the
/// variant directly.
///
/// ```
/// use outlast::Location;
///
/// let location: Location = "sqlite:state.db".parse()?;
/// assert_eq!(location, Location::Sqlite("state.db".into()));
/// assert!("state.db".parse::<Location>().is_err());
/// # Ok::<(), outlast::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// The memory of this process: gone with it, and always created anew.
    Memory,
    /// A database file, which several processes can open at once. Two more files, named like it
    /// with `-wal` and `-shm` added, stand beside it while it is open.
    Sqlite(PathBuf),
    /// A folder, which one process at a time can open; another is refused with `Busy`.
    Sled(PathBuf),
}

/// What a location may look like, for messages.
const FORMS: &str = "memory:, sqlite:PATH or sled:PATH";

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(Error::invalid(format!(
                "a store location begins with its backend; use {FORMS}"
            )));
        };
        let path = rest.strip_prefix("//").unwrap_or(rest);
        match scheme {
            "memory" if path.is_empty() => Ok(Self::Memory),
            "memory" => Err(Error::invalid("a store in memory has no path; use memory:")),
            "sqlite" => Ok(Self::Sqlite(literal_path(scheme, path)?)),
            "sled" => Ok(Self::Sled(literal_path(scheme, path)?)),
            _ if is_scheme(scheme) => Err(Error::invalid(format!(
                "there is no backend {scheme:?} for a store location; use {FORMS}"
            ))),
            _ => Err(Error::invalid(format!(
                "a store location begins with its backend; use {FORMS}"
            ))),
        }
    }
}

/// The path, unless it is something that only looks like one.
fn literal_path(scheme: &str, path: &str) -> Result<PathBuf> {
    let refuse = |why: &str| Err(Error::invalid(format!("a {scheme} location {why}")));
    if path.is_empty() {
        return refuse(&format!("needs a path, as in {scheme}:state"));
    }
    if path == ":memory:" {
        return refuse("in memory is written memory:");
    }
    if path.contains('\0') {
        return refuse("cannot hold a NUL character");
    }
    if path.split_once('@').is_some_and(|(before, _)| before.contains(':')) {
        return refuse("names a path and takes no user or password");
    }
    if path.contains('?') {
        return refuse("takes no options after a question mark; they are given when it is opened");
    }
    Ok(PathBuf::from(path))
}

fn is_scheme(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    first && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Sled(path) => write!(f, "sled:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use outlast_core::ErrorKind;

    #[test]
    fn both_spellings_name_the_same_place() {
        let table = [
            ("memory:", Location::Memory),
            ("memory://", Location::Memory),
            ("sqlite:a.db", Location::Sqlite("a.db".into())),
            ("sqlite://a.db", Location::Sqlite("a.db".into())),
            ("sqlite:///var/a.db", Location::Sqlite("/var/a.db".into())),
            ("sqlite:a%20b c@d.db", Location::Sqlite("a%20b c@d.db".into())),
            ("sled:a", Location::Sled("a".into())),
            ("sled:///var/a", Location::Sled("/var/a".into())),
        ];
        for (text, location) in table {
            assert_eq!(text.parse::<Location>().unwrap(), location, "{text}");
        }
        assert_eq!(Location::Sqlite("a.db".into()).to_string(), "sqlite:a.db");
    }

    #[test]
    fn what_is_no_location_is_refused_with_what_is_wrong() {
        let table = [
            ("", FORMS),
            ("state.db", FORMS),
            ("./state.db", FORMS),
            (":state.db", FORMS),
            ("postgres://localhost/x", FORMS),
            ("SQLITE:x", FORMS),
            ("sqlite:", "needs a path"),
            ("sqlite://", "needs a path"),
            ("sled:", "needs a path"),
            ("memory:x", "no path"),
            ("sqlite::memory:", "memory:"),
            ("sqlite:a\0b", "NUL"),
            ("sqlite:a.db?mode=ro", "options"),
        ];
        for (text, what) in table {
            let error = text.parse::<Location>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text:?}");
            assert!(error.to_string().contains(what), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let texts = [
            "user:hunter2@host/x",
            "postgres://user:hunter2@host/x",
            "sqlite://user:hunter2@host/x",
            "sqlite:user:hunter2@host/x.db",
            "sled://user:hunter2@host/x",
            "memory:user:hunter2@host",
            "://user:hunter2@host",
            "x@y:hunter2@host",
            "hunter2@host",
        ];
        for text in texts {
            let error = text.parse::<Location>().unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{text}: {error:?}");
        }
    }
}
