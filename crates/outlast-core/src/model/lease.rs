//! The right to do something that only one process may do at a time.

use serde::{Deserialize, Serialize};

use crate::{Entity, NoStatus, ProcessIdentity, Timestamp};

/// Who holds a right, kept under the right's name. Every write made under it asserts that it is
/// still at the version it was taken at: that is the fence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The process that holds it. It lapses when that process is gone, not by time.
    pub holder: ProcessIdentity,
    /// When it was taken.
    pub acquired_at: Timestamp,
}

impl Entity for Lease {
    type Status = NoStatus;
    const KIND: &'static str = "lease";
    const CAN_ROLL_BACK: bool = false;
}
