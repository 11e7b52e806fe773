//! What people are told.

use outlast_core::{Cause, Event, EventCategory, EventLevel, Key};

/// The longest text of others that is kept in a record or told in an event, in bytes.
const MAX_TEXT_BYTES: usize = 4096;

/// The text at a bearable length.
pub(super) fn clip(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or(text)
}

/// How an event is to be taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tone {
    /// Somebody asked for it.
    Asked,
    /// It is part of the work, and went well.
    Well,
    /// It is part of the work, and to be looked at.
    Warn,
    /// It went wrong.
    Wrong,
}

/// Something that happened to an entity. Clipped, so that it is never too long for an event.
pub(super) fn notice(
    cause: &Cause,
    tone: Tone,
    action: &str,
    subject: &Key,
    message: &str,
) -> Event {
    let message = clip(message);
    let (category, level) = match tone {
        Tone::Asked => (EventCategory::Audit, EventLevel::Info),
        Tone::Well => (EventCategory::Ops, EventLevel::Success),
        Tone::Warn => (EventCategory::Ops, EventLevel::Warn),
        Tone::Wrong => (EventCategory::Error, EventLevel::Error),
    };
    let event = Event::new(category, level, message).called(action).about(subject.clone());
    match &cause.actor {
        Some(actor) => event.by(actor.clone()),
        None => event,
    }
}
