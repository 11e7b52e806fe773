//! What kinds say of themselves that matters where their types are not at hand.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use outlast_core::{AttrName, Attributes, Cause, Entity, Json, Kind, Result};
use serde_json::Value;

/// How secrets are taken out of what is shown of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redactor(fn(&mut Value));

impl Redactor {
    /// Shows nothing, for kinds that this program does not know.
    pub(crate) const HIDE: Self = Self(|value| *value = Value::Null);

    pub(crate) fn of<T: Entity>() -> Option<Self> {
        T::REDACT.map(Self)
    }

    pub(crate) fn content(self, content: &Json) -> Result<Json> {
        let mut value: Value = content.decode()?;
        (self.0)(&mut value);
        Json::encode(&value)
    }

    /// Takes them out of the metadata of a cause; all of it goes where nothing is left or that
    /// fails.
    pub(crate) fn metadata(self, cause: &mut Cause) {
        let redacted = cause.metadata.as_ref().and_then(|metadata| self.content(metadata).ok());
        cause.metadata = redacted.filter(|metadata| metadata.as_str() != "null");
    }
}

/// What is known of the kinds this process has used.
#[derive(Debug, Default)]
pub(crate) struct KnownKinds {
    table: RwLock<HashMap<&'static str, Known>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    redactor: Option<Redactor>,
    is_fixed: bool,
}

impl KnownKinds {
    /// Remembers what a kind says of itself, if it is out of the ordinary.
    pub(crate) fn note<T: Entity>(&self) {
        if T::REDACT.is_none() && T::CAN_ROLL_BACK {
            return;
        }
        let known = |table: &HashMap<_, Known>| table.contains_key(T::KIND);
        if !known(&self.table.read().unwrap_or_else(PoisonError::into_inner)) {
            let known = Known { redactor: Redactor::of::<T>(), is_fixed: !T::CAN_ROLL_BACK };
            self.table.write().unwrap_or_else(PoisonError::into_inner).insert(T::KIND, known);
        }
    }

    fn known(&self, kind: &Kind) -> Known {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(kind.as_str()).copied().unwrap_or_default()
    }

    pub(crate) fn redactor(&self, kind: &Kind) -> Option<Redactor> {
        self.known(kind).redactor
    }

    /// Whether entities of the kind may be rolled back, as far as this process knows.
    pub(crate) fn can_roll_back(&self, kind: &Kind) -> bool {
        outlast_core::can_roll_back(kind) && !self.known(kind).is_fixed
    }
}

/// Whether what has these attributes was marked as secret when it was written.
pub(crate) fn is_marked(attrs: &Attributes) -> bool {
    attrs.contains_key(&AttrName::redacted())
}
