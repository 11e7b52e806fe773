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

    /// How secrets are taken out of what the audit shows of it, if it has any. Besides contents it
    /// is given the metadata of the causes of changes, before they are written; it should know its
    /// fields by name and leave the rest.
    ///
    /// A kind with a redactor never shows a raw value in an audit: where the program at hand does
    /// not know the kind, or in SQL, nothing is shown instead. The content itself is not redacted,
    /// since reading it back and going back to it need it exactly: it is in what `get`, `history`,
    /// exports and the change feed give, in the table of the history, and in checkpoints; so are
    /// its attributes. Nor are the words of a reason.
    const REDACT: Option<fn(&mut Value)> = None;

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
