//! What sled and the file system report, named for what the caller does next.

use std::any::Any;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use outlast_core::{Error, ErrorKind};

/// What `call` returns, or the message of its panic: sled panics on some damaged files.
///
/// What `call` leaves behind after a panic must not be used.
pub(crate) fn catch<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(call)).map_err(|cause| message(&*cause))
}

fn message(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().copied();
    let text = text.or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("an unknown panic").to_owned()
}

/// Whether a disk or a quota is full.
pub(crate) fn is_full(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}

/// Whether sled stopped because a disk or a quota is full.
pub(crate) fn sled_is_full(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(cause) if is_full(cause.kind()))
}

/// Whether sled could not be opened because its file is locked.
pub(crate) fn sled_is_held(error: &sled::Error) -> bool {
    let sled::Error::Io(cause) = error else { return false };
    cause.to_string().contains("could not acquire lock")
}

/// An error of sled's while it read, or while nothing had been written yet.
pub(crate) fn sled(dir: &Path, error: sled::Error) -> Error {
    let place = dir.display();
    match error {
        sled::Error::Io(cause) => io(&format!("the sled store at {place}"), cause),
        sled::Error::Corruption { .. } => damaged(dir, "sled finds its own checksums wrong"),
        sled::Error::Unsupported(why) => {
            Error::incompatible(format!("sled cannot open {place}: {why}"))
        }
        other => Error::internal(format!("sled failed on {place}")).with_source(other),
    }
}

/// Damage to the store as a whole.
pub(crate) fn damaged(dir: &Path, why: impl std::fmt::Display) -> Error {
    let place = dir.display();
    Error::corrupt(format!("the sled store at {place} is damaged: {why}; restore it from a backup"))
}

/// A failure of the file system that left nothing behind.
pub(crate) fn io(what: &str, cause: io::Error) -> Error {
    let kind = match cause.kind() {
        kind if is_full(kind) => ErrorKind::StorageFull,
        _ => ErrorKind::Unavailable,
    };
    let message = match kind {
        ErrorKind::StorageFull => format!("the disk is full for {what}; free space and retry"),
        _ => format!("{what} could not be reached: {cause}"),
    };
    Error::new(kind, message).with_source(cause)
}

/// The answer to every call after `close`.
pub(crate) fn closed() -> Error {
    Error::closed("the sled store was closed")
}
