//! From outcomes to errors, for callers to whom a lost race is one.

use outlast_core::{Error, Expect, Key, Mismatch, Outcome, Receipt, Result, Version};

/// The receipt, or the conflict as an error.
pub(crate) fn receipt(outcome: Outcome) -> Result<Receipt> {
    match outcome {
        Outcome::Applied(receipt) | Outcome::Replayed(receipt) => Ok(receipt),
        Outcome::Conflict { key, expected, actual } => Err(conflict(key, expected, actual)),
    }
}

/// What a failed expectation is called: `NotFound`, `Exists`, `Conflict` or `IllegalTransition`.
pub(crate) fn conflict(key: Key, expected: Expect, actual: Option<Version>) -> Error {
    use outlast_core::ErrorKind::{Exists, IllegalTransition, NotFound};

    match (expected, actual) {
        (Expect::Absent, Some(_)) => Error::new(Exists, format!("{key} already exists")),
        (Expect::Status(states), Some(actual)) => {
            let states = states.join(", ");
            let message = format!(
                "{key} is at version {actual} in a state this may not follow; it may follow {states}"
            );
            Error::new(IllegalTransition, message)
        }
        (Expect::Any | Expect::Live | Expect::Absent | Expect::Status(_), _) => {
            Error::new(NotFound, format!("{key} does not exist"))
        }
        (Expect::At(version), actual) => {
            Error::conflict(Mismatch { key, expected: Some(version), actual })
        }
    }
}
