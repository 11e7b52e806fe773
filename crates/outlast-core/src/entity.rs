//! What makes a type of yours an entity that a store can keep.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Attributes, Result, Status};

/// A kind of thing a store keeps: its name, its states, what it can be filtered by, and how old
/// content is read.
///
/// ```
/// use outlast_core::{Entity, NoStatus};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Note {
///     text: String,
/// }
///
/// impl Entity for Note {
///     type Status = NoStatus;
///     const KIND: &'static str = "note";
/// }
/// ```
pub trait Entity: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static {
    /// Its states; [`NoStatus`](crate::NoStatus) if it has none.
    type Status: Status;

    /// The name of the kind, stored with every entity.
    const KIND: &'static str;

    /// The schema number of the content. Raise it when old content needs [`upgrade`].
    ///
    /// [`upgrade`]: Entity::upgrade
    const SCHEMA: u32 = 1;

    /// Whether an older version may become the new one. Kinds that mirror the outside world, as
    /// tasks do, say no.
    const CAN_ROLL_BACK: bool = true;

    /// Its state, if the kind has states.
    fn status(&self) -> Option<Self::Status> {
        None
    }

    /// Moves it to a state. Called only after the move was checked.
    fn set_status(&mut self, status: Self::Status) {
        let _ = status;
    }

    /// What it can be filtered by, besides its status, which is added under the name `status`.
    fn attributes(&self) -> Result<Attributes> {
        Ok(Attributes::new())
    }

    /// Brings content of an older schema number up to the next shape.
    ///
    /// Called with the number it was written under; the result is decoded as the present one.
    fn upgrade(from: u32, content: Value) -> Result<Value> {
        let _ = from;
        Ok(content)
    }
}
