//! The domain model: the kinds of entities Outlast's own engines keep, as plain data.

mod agent;
mod artifact;
mod checkpoint;
mod claim;
mod command;
mod event;
mod host;
mod lease;
mod pipeline;
mod process;
mod run;
mod session;
mod swarm;
mod task;
mod window;

pub use agent::{Agent, AgentStatus};
pub use artifact::{Artifact, Consumption, Visibility};
pub use checkpoint::Checkpoint;
pub use claim::Claim;
pub use command::{Command, CommandStatus, OpSpec};
pub use event::{Event, EventCategory, EventLevel};
pub use host::{Host, HostStatus};
pub use lease::Lease;
pub use pipeline::{Pipeline, PipelineRecovery, PipelineStatus, StageOutcome, StageStatus};
pub use process::ProcessIdentity;
pub use run::Run;
pub use session::{Session, SessionStatus};
pub use swarm::{Budget, Strategy, Swarm, SwarmConfig, SwarmMetrics, SwarmStatus};
pub use task::{CommandLine, OnIdle, RecoveryPolicy, Task, TaskSpec, TaskStatus};
pub use window::{
    BatchSpec, Dispatch, FlushReason, JoinSpec, JoinWithin, Window, WindowItem, WindowKind,
    WindowStatus,
};
