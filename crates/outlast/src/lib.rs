//! State that outlasts the process: versioned entities with history, audit and streams, in
//! memory, in SQLite or in sled.
//!
//! Describe what you keep as an [`Entity`], [`open`] a store, and use the typed handle that
//! [`Store::kind`] gives. Every change is checked against the version it was made from and
//! against the kind's status machine, is written with who and why in one commit, and is answered
//! once it is as durable as the store promises.
//!
//! ```
//! use outlast::{Entity, NoStatus};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Debug, Serialize, Deserialize)]
//! struct Note {
//!     text: String,
//! }
//!
//! impl Entity for Note {
//!     type Status = NoStatus;
//!     const KIND: &'static str = "note";
//! }
//!
//! # #[cfg(feature = "memory")]
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let store = outlast::open("memory:").await?; // or "sqlite:state.db", or "sled:state"
//! let notes = store.kind::<Note>();
//!
//! notes.create("shopping", &Note { text: "milk".into() }).await?;
//! let note = notes
//!     .update("shopping", |note| {
//!         note.text.push_str(", bread");
//!         Ok(())
//!     })
//!     .await?;
//! assert_eq!((note.text.as_str(), note.version.n), ("milk, bread", 2));
//!
//! let back = notes.rollback_to("shopping", 1).await?;
//! assert_eq!((back.text.as_str(), back.version.n), ("milk", 3));
//! store.close().await
//! # }).unwrap();
//! ```
//!
//! # Cargo features
//!
//! Features add up and each compiles alone. Backends: `sqlite` and `memory` (default) and `sled`.
//! Engines: `swarm` (swarms, agents, sessions), `fleet` (hosts, commands, pipelines), `windows`
//! (artifacts, joins, batches; Linux), `tasks` and `process` (programs with captured output;
//! Linux), `recovery` (what is done at start; Linux), `retention` (removing what is over), `sync`
//! (the change feed as a subscription), `migration` (moving live state from memory to a database
//! and back; Linux), `transfer` (export and import). Any of them brings the
//! event log, the statistics and the check of references. `testing` adds the list of cases that a
//! backend of your own can be checked with.
//!
//! # What it is not
//!
//! Not a job queue, and no network service: a store is a file, a folder or memory.

// Lets the documentation tests run what the readme shows.
#[cfg(all(doctest, feature = "migration", feature = "sqlite"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

mod location;
#[cfg(feature = "migration")]
pub mod migration;
mod open;
#[cfg(feature = "testing")]
pub mod testing;

pub use location::Location;
pub use open::{open, open_with};
pub use outlast_core as core;
pub use outlast_core::*;
pub use outlast_store as store;
pub use outlast_store::{
    AuditEntry, AuditQuery, AuditState, Backlog, Checkpointed, Collection, Draft, Past, Pulse,
    Restored, Retry, Store, StoreOptions, Stored, Watch,
};

#[cfg(feature = "memory")]
pub use outlast_memory as memory;
#[cfg(feature = "fleet")]
pub use outlast_orchestrator::fleet;
#[cfg(feature = "recovery")]
pub use outlast_orchestrator::recovery;
#[cfg(feature = "retention")]
pub use outlast_orchestrator::retention;
#[cfg(feature = "swarm")]
pub use outlast_orchestrator::swarm;
#[cfg(feature = "sync")]
pub use outlast_orchestrator::sync;
#[cfg(feature = "tasks")]
pub use outlast_orchestrator::tasks;
#[cfg(feature = "transfer")]
pub use outlast_orchestrator::transfer;
#[cfg(feature = "windows")]
pub use outlast_orchestrator::windows;
#[cfg(feature = "process")]
pub use outlast_orchestrator::{Instance, driver, process};
#[cfg(feature = "engines")]
pub use outlast_orchestrator::{Shutdown, Urgency, events, references, statistics, telemetry};
#[cfg(feature = "sled")]
pub use outlast_sled as sled;
#[cfg(feature = "sqlite")]
pub use outlast_sqlite as sqlite;
