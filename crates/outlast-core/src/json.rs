//! The content of an entity: JSON text, kept as it was written.
//!
//! Only the white space around it is not kept: a text inside other JSON has none of its own.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{Error, Result};

/// Well-formed JSON text. Cheap to clone; decoded only when asked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// Checks and wraps JSON text, without the white space around it; anything else, numbers out
    /// of range included, is `Invalid`.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(text);
        match parsed {
            Ok(_) => Ok(Self(text.into())),
            Err(cause) => Err(Error::invalid("text is not valid JSON").with_source(cause)),
        }
    }

    /// Wraps text that a backend stored and has verified by checksum.
    pub fn trusted(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Encodes a value; `Invalid` if it cannot be written as JSON.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        match serde_json::to_string(value) {
            Ok(text) => Ok(Self(text.into())),
            Err(cause) => Err(Error::invalid("value cannot be written as JSON").with_source(cause)),
        }
    }

    /// Decodes into a type; `Corrupt` if the text has another shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.0).map_err(|cause| {
            let type_name = std::any::type_name::<T>();
            Error::corrupt(format!("stored JSON is not a {type_name}")).with_source(cause)
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(serde::de::Error::custom)
    }
}

/// Reads a field that is left out when there is none, so that `null` is content like any other.
pub(crate) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}
