//! One error type for the whole workspace, classified by what a caller does next.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::{Key, Version};

/// The result of every fallible operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, named for what the caller does next.
///
/// An unknown failure is [`ErrorKind::Internal`] and is never worth retrying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The store could not be reached and nothing was applied: retry later.
    Unavailable,
    /// Somebody else holds the store; nothing was applied: retry after a pause.
    Busy,
    /// The write may or may not have been applied: repeat it with the same commit id.
    Indeterminate,
    /// Another owner took over: stop writing and re-open.
    Fenced,
    /// The request breaks a rule: correct it.
    Invalid,
    /// A bound was exceeded: send less.
    TooLarge,
    /// The store does not offer what was asked: ask for less or choose another store.
    Unsupported,
    /// The data belongs to another program, format or newer schema: use the matching program.
    Incompatible,
    /// What was asked for was pruned: start from a snapshot.
    Compacted,
    /// Two stores hold different content under one version: compare and repair.
    Diverged,
    /// Stored bytes fail verification: restore or repair what the error names.
    Corrupt,
    /// The disk is full; nothing was applied: free space and retry.
    StorageFull,
    /// The store can no longer promise durability: re-open it.
    Poisoned,
    /// The store was closed.
    Closed,
    /// A defect in the program: report it.
    Internal,
    /// No entity lives under this key.
    NotFound,
    /// An entity already lives under this key.
    Exists,
    /// The entity is at another version than the caller expected: read it again.
    Conflict,
    /// The status machine does not allow this move.
    IllegalTransition,
    /// Every retry met a conflict: raise the number of tries or reduce contention.
    RetriesExhausted,
    /// The version was never written or was pruned.
    VersionGone,
}

/// The two versions that did not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The entity in question.
    pub key: Key,
    /// The version the caller expected; `None` means "absent".
    pub expected: Option<Version>,
    /// The version that is stored; `None` means "absent".
    pub actual: Option<Version>,
}

/// An error that can be handed to several callers: a kind, a message that says what happened to which thing, and the source if any.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    mismatch: Option<Mismatch>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`. The message is lower case, has no full stop, and names the thing.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Inner { kind, message, mismatch: None, source: None }))
    }

    /// A lost race on one entity.
    pub fn conflict(mismatch: Mismatch) -> Self {
        let message = match (mismatch.expected, mismatch.actual) {
            (Some(expected), Some(actual)) => {
                format!("{} is at version {actual}, not at {expected}", mismatch.key)
            }
            (Some(expected), None) => {
                format!("{} is absent, not at version {expected}", mismatch.key)
            }
            (None, Some(actual)) => format!("{} already exists at version {actual}", mismatch.key),
            (None, None) => format!("{} is absent", mismatch.key),
        };
        let mut error = Self::new(ErrorKind::Conflict, message);
        error.0.mismatch = Some(mismatch);
        error
    }

    /// Attaches the error that caused this one.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Puts `context` in front of the message.
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// What the caller does next.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The two versions that did not agree, for [`ErrorKind::Conflict`].
    pub fn mismatch(&self) -> Option<&Mismatch> {
        self.0.mismatch.as_ref()
    }

    /// Whether it says something about one record and nothing about the others.
    pub fn is_of_one_record(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Corrupt | ErrorKind::Incompatible)
    }

    /// Whether nothing was applied and the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable | ErrorKind::Busy | ErrorKind::StorageFull)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)?;
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {
        impl Error {
            $(
                #[doc = concat!("An error of kind [`ErrorKind::", stringify!($kind), "`].")]
                pub fn $name(message: impl Into<String>) -> Self {
                    Self::new(ErrorKind::$kind, message)
                }
            )*
        }
    };
}

constructors! {
    unavailable => Unavailable,
    busy => Busy,
    indeterminate => Indeterminate,
    invalid => Invalid,
    too_large => TooLarge,
    unsupported => Unsupported,
    incompatible => Incompatible,
    corrupt => Corrupt,
    poisoned => Poisoned,
    closed => Closed,
    internal => Internal,
}
