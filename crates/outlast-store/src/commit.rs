//! From outcomes to errors, for callers to whom a lost race is one.

use outlast_core::{Error, Expect, Key, Mismatch, Outcome, Receipt, Result, Version};

/// The receipt, or the conflict as an error.
pub(crate) fn receipt(outcome: Outcome) -> Result<Receipt> {
    match outcome {
        Outcome::Applied(receipt) | Outcome::Replayed(receipt) => Ok(receipt),
        Outcome::Conflict { key, expected, actual } => Err(conflict(key, expected, actual)),
    }
}

/// What a failed expectation is called: `NotFound`, `Exists` or `Conflict`.
pub(crate) fn conflict(key: Key, expected: Expect, actual: Option<Version>) -> Error {
    use outlast_core::ErrorKind::{Exists, NotFound};

    match (expected, actual) {
        (Expect::Absent, Some(_)) => Error::new(Exists, format!("{key} already exists")),
        (Expect::Any | Expect::Live | Expect::Absent, _) => {
            Error::new(NotFound, format!("{key} does not exist"))
        }
        (Expect::At(version), actual) => {
            Error::conflict(Mismatch { key, expected: Some(version), actual })
        }
    }
}
