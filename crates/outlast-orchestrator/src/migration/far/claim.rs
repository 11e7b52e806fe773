//! Within one process, too, only one store moves a database: the ledger names the process, and
//! cannot tell two of its stores apart.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use outlast_core::{Error, Result};
use uuid::Uuid;

static MOVING: Mutex<BTreeSet<Uuid>> = Mutex::new(BTreeSet::new());

/// The right to move a database, within this process. Dropping it gives it up.
#[derive(Debug)]
pub(super) struct Claim(Uuid);

impl Claim {
    /// `Busy` if another store of this process has it.
    pub(super) fn take(store: Uuid, location: &str) -> Result<Self> {
        let mut moving = MOVING.lock().unwrap_or_else(PoisonError::into_inner);
        if moving.insert(store) {
            return Ok(Self(store));
        }
        Err(Error::busy(format!(
            "this process moves {location} already, through another store: close that first"
        )))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        MOVING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}
