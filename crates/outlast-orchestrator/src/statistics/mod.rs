//! Counts and health, without listing anything.
//!
//! [`gather`] counts what a store holds by kind and status, and says what waits, how much room is
//! taken and what the last recovery did. [`health`] says what is wrong, if anything is.
//!
//! ```
//! # use std::sync::Arc;
//! # use outlast_core::{RandomIds, Session};
//! # use outlast_store::{Store, StoreOptions};
//! use outlast_orchestrator::statistics::{self, HealthLimits};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> outlast_core::Result<()> {
//! # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
//! # let store = Store::open(backend, StoreOptions::default());
//! let session = Session::new("tree", "main", store.clock().now());
//! store.kind::<Session>().create("s1", &session).await?;
//!
//! let found = statistics::gather(&store).await?;
//! assert_eq!((found.total_sessions, found.recent_audit_entries), (1, 1));
//! assert_eq!(found.count("session", "open"), 1);
//! assert!(found.is_of_one_moment());
//!
//! let health = statistics::health(&store, &HealthLimits::default()).await;
//! assert!(health.is_well(), "{:?}", health.problems);
//! # Ok(())
//! # }
//! ```
//!
//! # What may surprise
//!
//! - The figures are read one after the other. When nothing was committed meanwhile, they are of
//!   one revision; [`Statistics::is_of_one_moment`] says so. Otherwise they are gathered again, a
//!   few times; a store that is written to all the time gives figures of several moments, between
//!   two revisions that are stated.
//! - What waits is what this process has handed in. Other processes' queues cannot be seen.
//! - The audit of the last hour is counted by walking back through it, up to
//!   [`MOST_AUDIT_ENTRIES`]; more than that is counted as that many.

mod audit;
mod figures;
mod health;
mod recovery;

pub use audit::MOST_AUDIT_ENTRIES;
pub use figures::{KindCount, Statistics, gather};
pub use health::{Health, HealthLimits, Problem, Severity, health};
pub use recovery::RecoveryFigures;
