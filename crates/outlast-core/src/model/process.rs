//! Which process exactly: a pid means nothing without its start, its boot and its namespace.

use serde::{Deserialize, Serialize};

/// Names one process for ever, also after it has ended and its pid was given to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Its number within the pid namespace.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
    /// Which run of the kernel it belongs to.
    pub boot_id: String,
    /// The pid namespace of whoever recorded it.
    pub pid_namespace: String,
}
