//! Reading the event log, and adding to it.

use outlast_core::{Cause, Entry, Error, Event, Json, Listed, Result, Seq, Timestamp, Verified};
use outlast_store::Store;

use super::query::EventQuery;

/// The event log of a store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EventLog {
    store: Store,
    cause: Cause,
}

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Its place in the log.
    pub seq: Seq,
    /// When it was written.
    pub at: Timestamp,
    /// What was reported.
    pub event: Event,
}

impl EventLog {
    /// The event log of a store.
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone(), cause: store.cause().clone() }
    }

    /// The same, with events by somebody.
    pub fn with_cause(&self, cause: Cause) -> Self {
        Self { cause, ..self.clone() }
    }

    /// Adds an event that changes nothing else, in a commit of its own, and says where it stands.
    /// One that names nobody is by who the log was taken for.
    ///
    /// `TooLarge` for an event over [`Event::MAX_BYTES`]; otherwise as
    /// [`Store::commit`](Store::commit). Cancel safe: it is added or not.
    pub async fn append(&self, event: &Event) -> Result<Seq> {
        let event = match (&event.actor, &self.cause.actor) {
            (None, Some(actor)) => &event.clone().by(actor.clone()),
            _ => event,
        };
        let mut draft = self.store.draft();
        draft.cause(self.cause.clone()).report(event)?;
        let receipt = draft.commit().await?;
        let log = Event::log()?;
        let place = receipt.appended.iter().find(|(stream, ..)| *stream == log);
        place.map(|(_, _, last)| *last).ok_or_else(|| {
            Error::internal(format!("the receipt of {} lacks the event", receipt.id))
        })
    }

    /// One page of events, the newest first. One whose bytes are damaged, or that a newer program
    /// wrote, is an error in its place and does not hide the others.
    ///
    /// `Invalid` or `TooLarge` for a query that breaks a rule of [`EventQuery`]. Cancel safe.
    pub async fn list(&self, query: &EventQuery) -> Result<Listed<Result<Reported>>> {
        let Listed { items, next } = self.store.read(&query.to_stream()?).await?;
        Ok(Listed { items: items.into_iter().map(reported).collect(), next })
    }
}

fn reported(entry: Verified<Entry>) -> Result<Reported> {
    let entry = entry?;
    let place = |error: Error| error.context(format!("event {}", entry.seq.0));
    let text = str::from_utf8(&entry.data)
        .map_err(|cause| place(Error::corrupt("its bytes are no text").with_source(cause)))?;
    let event = Json::parse(text).and_then(|json| json.decode()).map_err(place)?;
    Ok(Reported { seq: entry.seq, at: entry.at, event })
}
