//! Attributes: the few values of an entity that it can be filtered and ordered by.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{AttrName, Timestamp};

/// The value of an attribute. Integers sort before texts; texts sort by their bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttrValue {
    /// A number: a count, or microseconds since 1970.
    Int(i64),
    /// A text of at most [`MAX_ID_BYTES`](crate::MAX_ID_BYTES) bytes.
    Text(Arc<str>),
}

impl fmt::Display for AttrValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => fmt::Display::fmt(value, f),
            Self::Text(value) => f.write_str(value),
        }
    }
}

impl From<i64> for AttrValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<Timestamp> for AttrValue {
    fn from(moment: Timestamp) -> Self {
        Self::Int(moment.as_micros())
    }
}

impl From<&str> for AttrValue {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

/// The attributes of one entity, by name.
pub type Attributes = BTreeMap<AttrName, AttrValue>;

impl AttrName {
    /// The attribute that holds the state of a status machine.
    pub fn status() -> Self {
        Self::well_known("status")
    }

    /// The attribute that names what an entity belongs to: a task's run, an agent's swarm.
    pub fn group() -> Self {
        Self::well_known("group")
    }

    /// The attribute that marks content whose values are secret. It is added by itself to what a
    /// kind with a redactor writes, and counts as one of its attributes; no kind may set it.
    pub fn redacted() -> Self {
        Self::well_known("redacted")
    }

    /// The attribute that says when time alone changes an entity next, in microseconds since 1970.
    pub fn deadline() -> Self {
        Self::well_known("deadline")
    }
}

/// A condition on one attribute. A record without the attribute never matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The attribute.
    pub name: AttrName,
    /// What its value must be.
    pub test: Test,
}

/// What an attribute's value must be. Values of another type than the bounds never match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// One of these.
    AnyOf(Vec<AttrValue>),
    /// Within these bounds, which are of one type.
    Within(Bound<AttrValue>, Bound<AttrValue>),
}

impl Filter {
    /// The attribute equals `value`.
    pub fn is(name: AttrName, value: impl Into<AttrValue>) -> Self {
        Self { name, test: Test::AnyOf(vec![value.into()]) }
    }

    /// The attribute is at most `value`, as in "the deadline has passed".
    pub fn at_most(name: AttrName, value: impl Into<AttrValue>) -> Self {
        Self { name, test: Test::Within(Bound::Unbounded, Bound::Included(value.into())) }
    }

    /// Whether a record with these attributes matches: what every backend's index must agree with.
    pub fn accepts(&self, attrs: &Attributes) -> bool {
        attrs.get(&self.name).is_some_and(|value| self.test.accepts(value))
    }
}

impl Test {
    /// Whether the value passes.
    pub fn accepts(&self, value: &AttrValue) -> bool {
        match self {
            Self::AnyOf(values) => values.contains(value),
            Self::Within(low, high) => {
                let same_type = |bound: &AttrValue| {
                    matches!(bound, AttrValue::Int(_)) == matches!(value, AttrValue::Int(_))
                };
                let above = match low {
                    Bound::Unbounded => true,
                    Bound::Included(low) => same_type(low) && value >= low,
                    Bound::Excluded(low) => same_type(low) && value > low,
                };
                above
                    && match high {
                        Bound::Unbounded => true,
                        Bound::Included(high) => same_type(high) && value <= high,
                        Bound::Excluded(high) => same_type(high) && value < high,
                    }
            }
        }
    }
}
