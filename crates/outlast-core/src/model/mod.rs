//! The domain model: the kinds of entities Outlast's own engines keep, as plain data.

mod lease;
mod process;
mod run;
mod task;

pub use lease::Lease;
pub use process::ProcessIdentity;
pub use run::Run;
pub use task::{CommandLine, OnIdle, RecoveryPolicy, Task, TaskSpec, TaskStatus};
