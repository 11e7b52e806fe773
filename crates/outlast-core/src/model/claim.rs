//! A name that only one entity may have at a time.

use serde::{Deserialize, Serialize};

use crate::{Entity, NoStatus, Timestamp};

/// Says who has a name. It is created, expecting that there is none, in the commit that takes the
/// name, and deleted in the commit that gives it up: so a name is never held twice, on any store.
///
/// Its id is what is claimed: `host/<id>` by the command that runs there, `hostname/<name>` by
/// the host that is called so, `window/<subscription>/<key>` by the window that is open for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The id of the entity that holds it.
    pub holder: String,
    /// Since when.
    pub claimed_at: Timestamp,
}

impl Entity for Claim {
    type Status = NoStatus;
    const KIND: &'static str = "claim";
    const CAN_ROLL_BACK: bool = false;
}
