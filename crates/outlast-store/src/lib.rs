//! What people use: a [`Store`] over a backend, with typed handles for their kinds.
//!
//! Every write goes through one sequencer per store. It forms groups of waiting batches, so that
//! many callers share one transaction and one sync of the disk; it answers in the order of its
//! queue; and because it alone awaits the backend's writes, no caller can cut one off halfway.

mod audit;
mod backlog;
mod checkpoint;
mod collection;
mod commit;
mod draft;
mod lock;
mod options;
mod pulse;
mod rollback;
mod secrets;
mod sequencer;
mod store;
mod stored;
pub mod telemetry;
mod turn;
mod watch;

pub use audit::{AuditEntry, AuditQuery, AuditState};
pub use backlog::Backlog;
pub use checkpoint::Checkpointed;
pub use collection::Collection;
pub use draft::Draft;
pub use options::{Retry, StoreOptions};
pub use pulse::Pulse;
pub use rollback::Restored;
pub use store::Store;
pub use stored::{Past, Stored, attributes_of};
pub use watch::Watch;
