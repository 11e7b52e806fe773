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
mod subscription;
mod swarm;
mod task;
mod window;

pub use agent::{Agent, AgentStatus};
pub use artifact::{Artifact, ArtifactTag, Consumption, Visibility};
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
pub use subscription::{Predicate, PredicateTest, Subscription};
pub use swarm::{Budget, Strategy, Swarm, SwarmConfig, SwarmMetrics, SwarmStatus};
pub use task::{CommandLine, OnIdle, RecoveryPolicy, Task, TaskSpec, TaskStatus};
pub use window::{
    BatchSpec, Dispatch, FlushReason, JoinSpec, JoinWithin, Window, WindowItem, WindowKind,
    WindowStatus,
};

use crate::{Entity, Kind};

/// The kinds of Outlast's own entities, each with whether an older version may become the new one.
/// It may not where the entity mirrors something outside the store, or where others are written
/// together with it: a process cannot be rolled back, nor can who holds a name.
const OWN: &[(&str, bool)] = &[
    of::<Agent>(),
    of::<Artifact>(),
    of::<ArtifactTag>(),
    of::<Checkpoint>(),
    of::<Claim>(),
    of::<Command>(),
    of::<Consumption>(),
    of::<Host>(),
    of::<Lease>(),
    of::<Pipeline>(),
    of::<Run>(),
    of::<Session>(),
    of::<StageOutcome>(),
    of::<Subscription>(),
    of::<Swarm>(),
    of::<Task>(),
    of::<Window>(),
    of::<WindowItem>(),
];

const fn of<T: Entity>() -> (&'static str, bool) {
    (T::KIND, T::CAN_ROLL_BACK)
}

/// Whether entities of a kind may be rolled back, for those who have no type for it: as the kind
/// says for one of Outlast's own, and yes for any other.
pub fn can_roll_back(kind: &Kind) -> bool {
    OWN.iter().find(|(own, _)| *own == kind.as_str()).is_none_or(|(_, can)| *can)
}
