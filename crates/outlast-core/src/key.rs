//! Names of things: kinds, entities, streams, attributes.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The longest entity id or stream name, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 512;
/// The longest kind or attribute name, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// A lineage of a kind. Setting a whole lineage aside means moving on to the next space.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Space(pub u32);

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// Lower-case ASCII letters, digits and `_`, beginning with a letter, at most
        /// [`MAX_NAME_BYTES`] bytes.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and wraps a name; `Invalid` if it breaks the rule above.
            pub fn new(name: impl AsRef<str>) -> Result<Self> {
                let name = name.as_ref();
                if is_name(name) {
                    return Ok(Self(name.into()));
                }
                Err(Error::invalid(format!(
                    "{} {name:?} must be 1 to {MAX_NAME_BYTES} of a-z, 0-9 and _, beginning with a letter",
                    $what
                )))
            }

            /// A name of the code's own, known to follow the rule.
            #[allow(dead_code)]
            pub(crate) fn well_known(name: &'static str) -> Self {
                debug_assert!(is_name(name));
                Self(name.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(name: String) -> Result<Self> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

name_type!(
    /// The kind of an entity or stream: `task`, `run`, `swarm`, or one of your own.
    Kind,
    "kind"
);
name_type!(
    /// The name of an attribute that entities can be filtered by.
    AttrName,
    "attribute name"
);

name_type!(
    /// What a change did, for the audit trail: `create`, `update`, `status_change`, `delete`,
    /// `rollback`, `recovery` and the like.
    Action,
    "action"
);

fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.len() <= MAX_NAME_BYTES
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_')
}

/// Where an entity lives: the lineage, the kind and the id within it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The lineage of the kind.
    pub space: Space,
    /// The kind of entity.
    pub kind: Kind,
    id: Id,
}

/// An id within a kind: 1 to [`MAX_ID_BYTES`] bytes of text without control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(Arc<str>);

impl Id {
    /// Checks and wraps an id; `Invalid` or `TooLarge` if it breaks the rule above.
    pub fn new(id: impl AsRef<str>) -> Result<Self> {
        let id = id.as_ref();
        if id.len() > MAX_ID_BYTES {
            let bytes = id.len();
            return Err(Error::too_large(format!(
                "an id of {bytes} bytes is over the limit of {MAX_ID_BYTES}"
            )));
        }
        if id.is_empty() || id.chars().any(char::is_control) {
            return Err(Error::invalid(format!(
                "id {id:?} must be text without control characters, and not empty"
            )));
        }
        Ok(Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl TryFrom<String> for Id {
    type Error = Error;

    fn try_from(id: String) -> Result<Self> {
        Self::new(id)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl Key {
    /// A key in the first space; `Invalid` or `TooLarge` if kind or id break their rules.
    ///
    /// ```
    /// let key = outlast_core::Key::new("task", "nightly-build")?;
    /// assert_eq!(key.to_string(), "task/nightly-build");
    /// # Ok::<(), outlast_core::Error>(())
    /// ```
    pub fn new(kind: impl AsRef<str>, id: impl AsRef<str>) -> Result<Self> {
        Ok(Self::of(Kind::new(kind)?, Id::new(id)?))
    }

    /// A key in the first space from parts that were checked before.
    pub fn of(kind: Kind, id: Id) -> Self {
        Self { space: Space::default(), kind, id }
    }

    /// The same key in another lineage.
    pub fn in_space(mut self, space: Space) -> Self {
        self.space = space;
        self
    }

    /// The id within the kind.
    pub fn id(&self) -> &str {
        self.id.as_str()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)?;
        if self.space != Space::default() {
            write!(f, "@{}", self.space.0)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The name of an append-only stream: the kind of what it holds, and whose it is.
///
/// It has the shape of a [`Key`]: captured output of one task is `log/<task id>`.
pub type StreamName = Key;
