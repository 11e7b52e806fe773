//! The numbers of the contract. Each means something else; none can be used for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Timestamp};

/// Who numbers versions: raised when the authority over a kind changes, so that a number lost
/// with volatile memory never comes back meaning something else.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Epoch(pub u64);

/// The version of one entity. People see and type `n`; programs compare the pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Who numbered it.
    pub epoch: Epoch,
    /// 1, 2, 3 and so on; a deleted and re-created entity goes on counting.
    pub n: u64,
}

impl Version {
    /// Version `n` of `epoch`.
    pub fn new(epoch: Epoch, n: u64) -> Self {
        Self { epoch, n }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.n, f)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch.0, self.n)
    }
}

/// A place in a store's feed: one per commit, in commit order, valid within one incarnation.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Revision(pub u64);

impl Revision {
    /// Before the first commit.
    pub const ZERO: Self = Self(0);

    /// The revision of the commit after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A place in one stream: 1, 2, 3 and so on without gaps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

/// One life of a store: drawn when it is created, and again when its content is replaced whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub uuid::Uuid);

/// The name a caller gives one commit, so that repeating it is safe.
///
/// It is a version 7 UUID: the time inside it is what lets a store refuse an id that is older
/// than what it remembers instead of applying it twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CommitId(uuid::Uuid);

impl CommitId {
    /// Wraps a version 7 UUID; any other is `Invalid`.
    pub fn new(id: uuid::Uuid) -> Result<Self, Error> {
        if id.get_version_num() == 7 {
            return Ok(Self(id));
        }
        Err(Error::invalid(format!("commit id {id} is not a version 7 uuid")))
    }

    /// The id made of `id` by setting its version to 7, for ids from an [`IdSource`].
    ///
    /// [`IdSource`]: crate::IdSource
    pub fn of(id: uuid::Uuid) -> Self {
        let version = uuid::Version::SortRand;
        Self(uuid::Builder::from_bytes(id.into_bytes()).with_version(version).into_uuid())
    }

    /// The milliseconds since 1970 at which the id was made.
    pub fn millis(self) -> i64 {
        let bytes = self.0.as_u128() >> 80;
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }

    /// Whether this id and the commit that it names, made `at` this time, are both of before a
    /// moment. Clocks differ, and what counts is how long the id may still be sent again.
    pub fn is_older(self, at: Timestamp, than: Timestamp) -> bool {
        at < than && self.millis() < than.as_millis()
    }

    /// The 16 bytes, ordered by time.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id whose bytes these are.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, Error> {
        Self::new(uuid::Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for CommitId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let id = uuid::Uuid::parse_str(text)
            .map_err(|_| Error::invalid(format!("{text:?} is not a commit id")))?;
        Self::new(id)
    }
}
