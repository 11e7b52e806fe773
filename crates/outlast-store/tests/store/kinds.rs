//! The kinds of entities these tests keep.

use outlast_core::{Entity, NoStatus, status_machine};
use serde::{Deserialize, Serialize};

/// A kind of one's own takes this much and no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) text: String,
}

impl Entity for Note {
    type Status = NoStatus;
    const KIND: &'static str = "note";
}

pub(crate) fn note(text: &str) -> Note {
    Note { text: text.to_owned() }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) n: u64,
}

impl Entity for Counter {
    type Status = NoStatus;
    const KIND: &'static str = "counter";
}

status_machine! {
    /// The state of a door.
    pub enum Lock {
        /// Anybody may pass.
        Open = "open" => [Shut],
        /// Nobody may pass.
        Shut = "shut" => [Open, Bricked],
        /// There was a door here.
        Bricked = "bricked" => [] settled,
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Door {
    pub(crate) lock: Lock,
    pub(crate) color: String,
}

impl Entity for Door {
    type Status = Lock;
    const KIND: &'static str = "door";
    const CAN_ROLL_BACK: bool = false;

    fn status(&self) -> Option<Lock> {
        Some(self.lock)
    }

    fn set_status(&mut self, status: Lock) {
        self.lock = status;
    }
}

pub(crate) fn door(lock: Lock) -> Door {
    Door { lock, color: "red".to_owned() }
}
