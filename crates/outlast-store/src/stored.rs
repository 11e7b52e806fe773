//! An entity as it was read: its value, its version, and the text it was decoded from.

use std::io;
use std::ops::Deref;

use outlast_core::{
    AttrName, AttrValue, Attributes, Entity, Error, Expect, Json, Key, Op, Put, Record, Result,
    Status, Timestamp, Version, Versioned,
};
use serde_json::Value;

/// A value with the key and version it was read under. Fields and methods of the value are
/// reached directly.
#[derive(Clone, Debug)]
pub struct Stored<T> {
    /// The entity.
    pub key: Key,
    /// The version it has, for the next write's expectation.
    pub version: Version,
    /// When that version was written.
    pub updated_at: Timestamp,
    /// Heartbeats and progress.
    pub transient: Attributes,
    value: T,
    source: Json,
}

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Entity> Stored<T> {
    /// Decodes a record, bringing content of an older schema up to date.
    ///
    /// `Incompatible` if the content is newer than this program, `Corrupt` if it has another
    /// shape than its schema number says.
    pub fn decode(record: Record) -> Result<Self> {
        let Record { key, version, updated_at, schema, state, attrs: _, transient } = record;
        let (value, source) = decode(&key, schema, state)?;
        Ok(Self { key, version, updated_at, transient, value, source })
    }

    pub(crate) fn created(key: Key, version: Version, at: Timestamp, value: T) -> Result<Self> {
        let source = Json::encode(&value)?;
        Ok(Self { key, version, updated_at: at, transient: Attributes::new(), value, source })
    }

    /// The id within the kind.
    pub fn id(&self) -> &str {
        self.key.id()
    }

    /// The value, without where it came from.
    pub fn into_value(self) -> T {
        self.value
    }

    /// The operation that makes `value` the next version of this one, unknown fields kept.
    ///
    /// `IllegalTransition` if its status is another and may not follow this one's.
    pub fn next(&self, value: &T) -> Result<Op> {
        self.origin()?.next(value)
    }

    /// The same, expecting something else, with the move unchecked.
    pub(crate) fn expecting(&self, expect: Expect, value: &T) -> Result<Op> {
        self.origin()?.expecting(expect, value)
    }

    /// `IllegalTransition` if the value's status is another and may not follow this one's.
    pub(crate) fn check_next(&self, value: &T) -> Result<()> {
        check_move(&self.key, self.value.status(), value)
    }

    /// What is stored once the operation of [`next`](Stored::next) is applied at `version`, for
    /// those who commit it in a batch of their own.
    pub fn advanced(&self, value: T, version: Version, at: Timestamp) -> Result<Self> {
        let origin = self.origin()?;
        let source = origin.carry_over(&value)?;
        Ok(origin.advanced(value, source, version, at))
    }

    /// The value, to be changed, and what is needed of it afterwards.
    pub(crate) fn open(self) -> Result<(Origin<T>, T)> {
        Ok((self.origin()?, self.value))
    }

    fn origin(&self) -> Result<Origin<T>> {
        // What this program wrote holds nothing it does not know, and need not be taken apart.
        let plain = is_written_as(&self.value, self.source.as_str());
        let known = if plain { None } else { Some(to_value(&self.value)?) };
        Ok(Origin {
            key: self.key.clone(),
            version: self.version,
            transient: self.transient.clone(),
            status: self.value.status(),
            source: self.source.clone(),
            known,
        })
    }
}

/// What a value was before it was changed.
pub(crate) struct Origin<T: Entity> {
    pub(crate) key: Key,
    version: Version,
    transient: Attributes,
    status: Option<T::Status>,
    source: Json,
    /// How this program writes it, if that is not how it is stored.
    known: Option<Value>,
}

impl<T: Entity> Origin<T> {
    /// The operation that makes `value` the next version; errors as for [`Stored::next`].
    pub(crate) fn next(&self, value: &T) -> Result<Op> {
        check_move(&self.key, self.status, value)?;
        self.expecting(Expect::At(self.version), value)
    }

    fn expecting(&self, expect: Expect, value: &T) -> Result<Op> {
        put(self.key.clone(), value, expect, self.carry_over(value)?)
    }

    /// What is stored once the operation with this content was applied at `version`.
    pub(crate) fn advanced(
        self,
        value: T,
        source: Json,
        version: Version,
        at: Timestamp,
    ) -> Stored<T> {
        let Self { key, transient, .. } = self;
        Stored { key, version, updated_at: at, transient, value, source }
    }

    /// The new value's JSON, plus the fields of the stored JSON that this program does not know.
    fn carry_over(&self, value: &T) -> Result<Json> {
        // It will be about as long as the one before.
        let mut text = Vec::with_capacity(self.source.as_str().len() + 64);
        serde_json::to_writer(&mut text, value).map_err(unwritable::<T>)?;
        let text = String::from_utf8(text);
        let next = Json::trusted(text.map_err(|_| Error::internal("JSON is not UTF-8"))?);
        let Some(known) = &self.known else { return Ok(next) };
        let stored: Value = self.source.decode()?;
        let mut carried = to_value(value)?;
        if keep_unknown(&stored, known, &mut carried) {
            let carried = Json::encode(&carried)?;
            // A field under an old name is known after all, and would now be there twice.
            if carried.decode::<T>().is_ok() {
                return Ok(carried);
            }
        }
        Ok(next)
    }
}

fn check_move<S: Status>(
    key: &Key,
    from: Option<S>,
    value: &impl Entity<Status = S>,
) -> Result<()> {
    match (from, value.status()) {
        (Some(from), Some(to)) if from != to => from.check_move(to, &key.to_string()),
        _ => Ok(()),
    }
}

/// A past version of an entity, and who wrote it when and why.
#[derive(Clone, Debug)]
pub struct Past<T> {
    /// The version with its metadata and stored content.
    pub version: Versioned,
    /// The value; `None` where the entity was deleted.
    pub value: Option<T>,
}

impl<T: Entity> Past<T> {
    pub(crate) fn decode(version: Versioned) -> Result<Self> {
        let value = match &version.state {
            Some(state) => Some(decode::<T>(&version.key, version.schema, state.clone())?.0),
            None => None,
        };
        Ok(Self { version, value })
    }
}

fn decode<T: Entity>(key: &Key, schema: u32, state: Json) -> Result<(T, Json)> {
    if schema > T::SCHEMA {
        return Err(Error::incompatible(format!(
            "{key} was written under schema {schema} of its kind, this program knows {}; \
             use the newer program",
            T::SCHEMA
        )));
    }
    let source = if schema == T::SCHEMA {
        state
    } else {
        let content = state.decode().map_err(|error| error.context(key))?;
        Json::encode(&T::upgrade(schema, content).map_err(|error| error.context(key))?)?
    };
    let value = source.decode().map_err(|error| error.context(key))?;
    Ok((value, source))
}

/// The attributes a value is stored with: its own, its status, and a mark if its audit is
/// redacted. `Invalid` if it sets one that is reserved.
pub fn attributes_of<T: Entity>(value: &T) -> Result<Attributes> {
    let mut attrs = value.attributes()?;
    let mark = AttrName::redacted();
    if attrs.contains_key(&mark) {
        let kind = T::KIND;
        return Err(Error::invalid(format!("{kind} sets the attribute {mark}, which is reserved")));
    }
    if T::REDACT.is_some() {
        attrs.insert(mark, AttrValue::Int(1));
    }
    if let Some(status) = value.status() {
        attrs.insert(AttrName::status(), AttrValue::from(status.as_str()));
    }
    Ok(attrs)
}

/// The operation that writes a value under a key.
pub(crate) fn put<T: Entity>(key: Key, value: &T, expect: Expect, state: Json) -> Result<Op> {
    let attrs = attributes_of(value)?;
    Ok(Op::Put(Put { key, expect, schema: T::SCHEMA, attrs, state }))
}

fn to_value<T: Entity>(value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(unwritable::<T>)
}

fn unwritable<T: Entity>(cause: serde_json::Error) -> Error {
    Error::invalid(format!("a {} cannot be written as JSON", T::KIND)).with_source(cause)
}

/// Whether this is how the value is written as JSON.
fn is_written_as<T: Entity>(value: &T, text: &str) -> bool {
    let mut rest = Rest(text.as_bytes());
    serde_json::to_writer(&mut rest, value).is_ok() && rest.0.is_empty()
}

/// What is left of a text while another is compared with it; fails where they differ.
struct Rest<'a>(&'a [u8]);

impl io::Write for Rest<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Copies into `next` every field of `stored` that `known`, the same content as this program
/// writes it, does not have. Says whether there was one.
fn keep_unknown(stored: &Value, known: &Value, next: &mut Value) -> bool {
    let (Value::Object(stored), Value::Object(known), Value::Object(next)) = (stored, known, next)
    else {
        return false;
    };
    let mut kept = false;
    for (name, value) in stored {
        match (known.get(name), next.get_mut(name)) {
            (None, None) => {
                next.insert(name.clone(), value.clone());
                kept = true;
            }
            (Some(known), Some(next)) => kept |= keep_unknown(value, known, next),
            _ => {}
        }
    }
    kept
}
