//! Swarms, agents and sessions: who works on what, how far it has come, and what becomes of what
//! fails.
//!
//! An [`Orchestra`] over a store gives all of them. A swarm is created, gets its agents, and is
//! activated; an agent is started and completes, or fails and is tried again. Each operation is
//! one commit: the agent, what its swarm counts, what the swarm becomes by it, and the event that
//! tells of it, under the cause that the handle names. A crash leaves all of that or nothing.
//!
//! ```
//! use std::sync::Arc;
//! use outlast_core::{AgentStatus, RandomIds, SwarmConfig, SwarmStatus};
//! use outlast_orchestrator::swarm::{NewAgent, NewSwarm, Orchestra};
//! use outlast_store::{Store, StoreOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> outlast_core::Result<()> {
//! let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
//! let store = Store::open(backend, StoreOptions::default());
//! let orchestra = Orchestra::new(&store);
//!
//! let config = SwarmConfig::new("reviewers", "review the change", 4);
//! let swarm = orchestra.swarms().create(NewSwarm::new(config).called("review")).await?;
//! let agent = swarm.add(NewAgent::new("read it").with_model("small").or_model("large")).await?;
//! swarm.activate().await?;
//!
//! agent.start().await?;
//! let agent_now = agent.fail("the model did not answer").await?;
//! assert_eq!(agent_now.status, AgentStatus::Retrying);
//! assert_eq!(agent_now.retry_count, 1);
//!
//! agent.start().await?; // or let `Retries` say when
//! agent.complete().await?;
//! assert_eq!(swarm.get().await?.status, SwarmStatus::Completed);
//! # Ok(())
//! # }
//! ```
//!
//! # Versions
//!
//! An operation on a handle takes the entity as it finds it. To change only what was looked at,
//! name the version:
//!
//! ```
//! # use std::sync::Arc;
//! # use outlast_core::{ErrorKind, RandomIds, SwarmConfig};
//! # use outlast_orchestrator::swarm::Orchestra;
//! # use outlast_store::{Store, StoreOptions};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> outlast_core::Result<()> {
//! # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
//! # let store = Store::open(backend, StoreOptions::default());
//! # let swarms = Orchestra::new(&store).swarms();
//! let swarm = swarms.create(SwarmConfig::new("reviewers", "review the change", 4)).await?;
//! let seen = swarm.get().await?.version;
//! swarm.activate().await?; // somebody else's, say
//! let refused = swarm.at(seen).destroy().await.unwrap_err();
//! assert_eq!(refused.kind(), ErrorKind::Conflict);
//! # Ok(())
//! # }
//! ```
//!
//! # What may surprise
//!
//! - A swarm is over when it is active and its last agent at work is over. It has completed if at
//!   least one agent did, else it has failed, even if all were killed. So to replace the only
//!   agent, add the new one first, or [`scale`](SwarmHandle::scale) the swarm meanwhile: a swarm
//!   that is creating, scaling or paused, or is to be reconciled, does not end by itself.
//! - `max_agents` bounds the agents at work at the same time, not those that ever were.
//! - An agent is tried again only if it fails at work. One that fails while it is brought up, or
//!   while it waits, is given up.
//! - Giving a swarm up or destroying it leaves its agents alone, since whatever they are runs
//!   outside the store. They are counted when they end, and none of them is tried again.
//! - An agent that was given up may be tried again when [asked for](AgentHandle::retry), but not
//!   once its swarm is over, which its own end may have brought about.
//! - Rolling an agent back leaves its swarm alone: [`reconcile`](SwarmHandle::reconcile) it then.
//! - Nothing is tried again by itself: something has to [`run`](Retries::run) the retries.

mod agent_handle;
mod agents;
mod budget;
mod handle;
pub(crate) mod life;
mod listing;
mod notice;
mod orchestra;
mod retries;
mod round;
mod rule;
mod session_handle;
mod sessions;
mod settling;
mod swarm_handle;
mod swarms;
pub(crate) mod tally;

pub use agent_handle::{LAST_ACTIVITY, PROGRESS};
pub use agents::{Agents, NewAgent};
pub use handle::{AgentHandle, Handle, SessionHandle, SwarmHandle};
pub use orchestra::Orchestra;
pub use retries::{Due, Retries};
pub use sessions::{NewSession, Sessions};
pub use swarms::{NewSwarm, Swarms};
