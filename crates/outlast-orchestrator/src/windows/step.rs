//! What becomes of one slot: decided without a store.

use std::sync::Arc;

use outlast_core::{
    Event, EventCategory, EventLevel, FlushReason, Key, Result, Timestamp, Window, WindowKind,
    WindowStatus,
};
use serde_json::json;

use super::open::Open;
use super::registered::Registered;
use super::turns::{Slot, Turns};

/// How a window ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is handed over; a batch says why.
    Dispatched(Option<FlushReason>),
    /// It is complete and went into the batch.
    Fed,
    /// It was not complete in time.
    Expired,
    /// It was called off.
    Cancelled(String),
}

impl Ending {
    pub(super) fn status(&self) -> WindowStatus {
        match self {
            Self::Dispatched(_) => WindowStatus::Dispatching,
            Self::Fed => WindowStatus::Completed,
            Self::Expired => WindowStatus::Expired,
            Self::Cancelled(_) => WindowStatus::Cancelled,
        }
    }
}

/// What becomes of one slot.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) operation: WindowKind,
    pub(super) slot: Slot,
    pub(super) subscription: Arc<Registered>,
    /// The window that was open, and when its time was to be over.
    pub(super) held: Option<(Arc<str>, Option<Timestamp>)>,
    /// The window that is open afterwards.
    pub(super) rest: Option<Open>,
    /// The windows that are not.
    pub(super) ended: Vec<(Open, Ending)>,
}

impl Step {
    /// Begins a change of a slot whose turn it is, with the window that is open there.
    pub(super) fn begin(
        turns: &mut Turns,
        operation: WindowKind,
        slot: Slot,
        subscription: &Arc<Registered>,
    ) -> (Self, Option<Open>) {
        let open = turns.cells(&slot).and_then(|cells| cells.take(&slot));
        let held = open.as_ref().map(|open| (open.id.clone(), open.fires_at()));
        let subscription = subscription.clone();
        (Self { operation, slot, subscription, held, rest: None, ended: Vec::new() }, open)
    }

    /// The windows that are handed over.
    pub(super) fn dispatched(&self) -> impl Iterator<Item = &Open> {
        let ended = self.ended.iter();
        ended.filter(|(_, ending)| matches!(ending, Ending::Dispatched(_))).map(|(open, _)| open)
    }

    /// How many windows it adds to those that are counted, and how many it takes away.
    pub(super) fn balance(&self) -> (usize, usize) {
        let after = usize::from(self.rest.is_some()) + self.dispatched().count();
        (after, usize::from(self.held.is_some()))
    }
}

/// What people are told of the end of a window.
pub(super) fn event_of(open: &Open, ending: &Ending) -> Result<Event> {
    use EventCategory::{Ops, System};

    let what = describe(open);
    let (category, level, action, message) = match ending {
        Ending::Dispatched(Some(reason)) => {
            let count = open.items.len();
            let reason = match reason {
                FlushReason::Size => "it is full",
                FlushReason::Timeout => "its time is over",
                FlushReason::Shutdown => "the orchestrator stops",
                FlushReason::Manual => "somebody asked for it",
            };
            let message = format!("{what} is handed over with {count} items: {reason}");
            (Ops, EventLevel::Info, "window:dispatching", message)
        }
        Ending::Dispatched(None) => {
            let message = format!("{what} is complete and handed over");
            (Ops, EventLevel::Info, "window:dispatching", message)
        }
        Ending::Fed => {
            let message = format!("{what} is complete and went into its batch");
            (Ops, EventLevel::Info, "window:completed", message)
        }
        Ending::Expired => {
            let count = open.items.len();
            let message = format!("{what} was not complete in time: it had {count} artifacts");
            (System, EventLevel::Warn, "window:expired", message)
        }
        Ending::Cancelled(why) => {
            (System, EventLevel::Warn, "window:cancelled", format!("{what} was called off: {why}"))
        }
    };
    let event = Event::new(category, level, message).called(action);
    Ok(event.about(Key::new(<Window as outlast_core::Entity>::KIND, &*open.id)?))
}

/// What people are told of an artifact that a subscription leaves out.
pub(super) fn skip_event(subscription: &Registered, artifact: Key, why: &str) -> Event {
    let message = format!("subscription {} leaves an artifact out: {why}", subscription.id);
    Event::new(EventCategory::System, EventLevel::Warn, message)
        .called("window:skipped")
        .about(artifact)
        .with(json!({ "subscription": subscription.id, "why": why }))
}

/// A window in words.
pub(super) fn describe(open: &Open) -> String {
    let what = match open.operation {
        WindowKind::Join => "join",
        WindowKind::Batch => "batch",
    };
    match &open.key {
        Some(key) => format!("{what} {} of key {key}", open.subscription.id),
        None => format!("{what} {}", open.subscription.id),
    }
}
