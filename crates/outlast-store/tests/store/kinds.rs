//! The kinds of entities these tests keep.

use outlast_core::{Entity, NoStatus, Result, status_machine};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// The closure that writes another text.
pub(crate) fn set(text: &str) -> impl FnMut(&mut Note) -> Result<()> + Send {
    move |note| {
        text.clone_into(&mut note.text);
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) n: u64,
}

impl Entity for Counter {
    type Status = NoStatus;
    const KIND: &'static str = "counter";
}

/// A kind with something that is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Entity for Login {
    type Status = NoStatus;
    const KIND: &'static str = "login";
    const REDACT: Option<fn(&mut Value)> = Some(|value| {
        if let Some(password) = value.get_mut("password") {
            *password = "***".into();
        }
    });
}

pub(crate) fn login(password: &str) -> Login {
    Login { user: "ann".to_owned(), password: password.to_owned() }
}

pub(crate) fn change_password(to: &str) -> impl FnMut(&mut Login) -> Result<()> + Send {
    move |login| {
        to.clone_into(&mut login.password);
        Ok(())
    }
}

status_machine! {
    /// The state of a job.
    pub enum Stage {
        /// It waits.
        Waiting = "waiting" => [Working],
        /// It is done.
        Working = "working" => [Waiting, Over],
        /// It was done. Only who means it begins it again.
        Over = "over" => [] + [Waiting] settled,
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) stage: Stage,
    pub(crate) steps: u64,
}

impl Entity for Job {
    type Status = Stage;
    const KIND: &'static str = "job";

    fn status(&self) -> Option<Stage> {
        Some(self.stage)
    }

    fn set_status(&mut self, status: Stage) {
        self.stage = status;
    }
}

pub(crate) fn job(stage: Stage, steps: u64) -> Job {
    Job { stage, steps }
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
