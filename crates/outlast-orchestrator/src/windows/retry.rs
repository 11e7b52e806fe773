//! Deciding anew when the store was not as remembered.

use std::future::Future;

use outlast_core::{Error, ErrorKind, Result};

/// How often something is decided in all.
const TRIES: u32 = 5;

/// Makes an attempt, and makes it anew while the store was not as remembered: what was in the way
/// is read before the next one.
pub(super) async fn decided<T, F>(mut attempt: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut tries = 1;
    loop {
        match attempt().await {
            Err(error) if tries < TRIES && is_overtaken(&error) => tries += 1,
            other => return other,
        }
    }
}

/// Whether the store was not as remembered. Nothing was written then.
pub(super) fn is_overtaken(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Exists | ErrorKind::NotFound)
}
