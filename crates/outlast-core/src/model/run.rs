//! One run of a file of tasks.

use serde::{Deserialize, Serialize};

use crate::{Entity, NoStatus, Timestamp};

/// One run of a file of tasks. It is finished when the newest attempt of each of its tasks is
/// settled; that is read from the tasks and stored nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The file, as it was named.
    pub file: String,
    /// When it began.
    pub created_at: Timestamp,
    /// How many tasks the file has. A run with fewer recorded is not finished.
    pub task_count: u64,
}

impl Entity for Run {
    type Status = NoStatus;
    const KIND: &'static str = "run";
    const CAN_ROLL_BACK: bool = false;
}
