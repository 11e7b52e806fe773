//! An event of the log, as it is told to subscribers.

use outlast_core::{Entry, Error, Event, Json, Seq, Timestamp};
use serde::{Deserialize, Serialize};

use super::wire::Number;

/// An event of the log, with its place in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "HappeningWire", from = "HappeningWire")]
pub struct Happening {
    /// Its place in the log.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// The event as it was written.
    pub event: Json,
}

impl Happening {
    /// The event of an entry of the log. `Corrupt` if it is not JSON.
    pub(super) fn of(entry: &Entry) -> Result<Self, Error> {
        let text = std::str::from_utf8(&entry.data).ok();
        let event = text.and_then(|text| Json::parse(text).ok()).ok_or_else(|| {
            Error::corrupt(format!("entry {} of {} is not an event", entry.seq.0, entry.stream))
        })?;
        Ok(Self { seq: entry.seq, at: entry.at, event })
    }

    /// The event itself. `Corrupt` if it has another shape.
    pub fn decode(&self) -> outlast_core::Result<Event> {
        self.event.decode()
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct HappeningWire {
    seq: Number,
    at: Timestamp,
    event: Json,
}

impl From<Happening> for HappeningWire {
    fn from(happening: Happening) -> Self {
        let Happening { seq, at, event } = happening;
        Self { seq: Number(seq.0), at, event }
    }
}

impl From<HappeningWire> for Happening {
    fn from(wire: HappeningWire) -> Self {
        Self { seq: Seq(wire.seq.0), at: wire.at, event: wire.event }
    }
}
