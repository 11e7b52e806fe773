//! The contract of Outlast: what a store means, and what a backend has to do.
//!
//! All meaning lives here and is written once: version rules, expectations, tombstones, commit
//! ids, history, streams and the feed are decided by [`plan()`], a pure function. A [`Backend`]
//! fetches a [`View`], and writes a [`WriteSet`] if nothing changed since. This crate does no I/O
//! and starts no thread.

// Lets `status_machine!` name serde from everywhere.
#[doc(hidden)]
pub use serde;

mod attr;
mod backend;
mod batch;
mod cause;
mod checksum;
mod clock;
mod durability;
mod entity;
mod error;
mod json;
mod key;
mod limits;
mod model;
mod open;
mod plan;
mod planted;
mod query;
mod record;
mod status;
mod version;
mod write;

pub use attr::{AttrValue, Attributes, Filter, Test};
pub use backend::{
    Admin, Backend, BackendInfo, Capability, Kinds, Prune, PrunePlan, Pruned, Size, StreamExtent,
    Verification,
};
pub use batch::{Batch, Expect, Op, Put};
pub use cause::{Actor, Cause, MAX_REASON_BYTES};
pub use checksum::checksum_attributes;
pub use clock::{Clock, IdSource, ManualClock, RandomIds, SystemClock, Timestamp};
pub use durability::Durability;
pub use entity::Entity;
pub use error::{Error, ErrorKind, Mismatch, Result};
pub use json::Json;
pub use key::{Action, AttrName, Id, Key, Kind, MAX_ID_BYTES, MAX_NAME_BYTES, Space, StreamName};
pub use limits::Limits;
pub use model::{
    Agent, AgentStatus, Artifact, ArtifactTag, BatchSpec, Budget, Checkpoint, Claim, Command,
    CommandLine, CommandStatus, Consumption, Dispatch, Event, EventCategory, EventLevel,
    FlushReason, Host, HostStatus, JoinSpec, JoinWithin, Lease, OnIdle, OpSpec, Pipeline,
    PipelineRecovery, PipelineStatus, Predicate, PredicateTest, ProcessIdentity, RecoveryPolicy,
    Run, Session, SessionStatus, StageOutcome, StageStatus, Strategy, Subscription, Swarm,
    SwarmConfig, SwarmMetrics, SwarmStatus, Task, TaskSpec, TaskStatus, Visibility, Window,
    WindowItem, WindowKind, WindowStatus, can_roll_back,
};
pub use open::{OpenOptions, Upgrade};
pub use plan::{Plan, PlanContext, REMEMBERED_FOR, plan, read_set};
#[doc(hidden)]
pub use planted::planted;
pub use query::{
    Change, Counts, Cursor, HistoryQuery, Listed, Order, Page, Query, Scope, StreamQuery,
};
pub use record::{Damage, Entry, NewEntry, Record, Slot, Verified, Versioned};
#[doc(hidden)]
pub use status::status_origins;
pub use status::{NoStatus, Status};
pub use version::{CommitId, Epoch, Incarnation, Revision, Seq, Version};
pub use write::{
    Commit, Head, Outcome, ReadSet, Receipt, Remembered, Terms, View, WriteSet, Written,
};
