//! The event log: what people are told, in one order.
//!
//! Engines report events in the commit that they are about ([`Draft::report`]), so that neither is
//! ever there without the other. This is how the log is read, and how something is said that
//! changes nothing else.
//!
//! What may surprise: the order is that of the log itself, its sequence, and not that of clocks,
//! which may go back. And a page has a bound that cannot be raised: 500 events, or 200 of one host.
//!
//! ```
//! # use std::sync::Arc;
//! # use outlast_core::RandomIds;
//! # use outlast_store::{Store, StoreOptions};
//! use outlast_core::{Event, EventCategory, EventLevel};
//! use outlast_orchestrator::events::{EventLog, EventQuery};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> outlast_core::Result<()> {
//! # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
//! # let store = Store::open(backend, StoreOptions::default());
//! let log = EventLog::new(&store);
//! let full = Event::new(EventCategory::System, EventLevel::Warn, "the disk is nearly full");
//! log.append(&full.on("h1")).await?;
//!
//! let warnings = EventQuery { level: Some(EventLevel::Warn), ..EventQuery::default() };
//! let newest = log.list(&warnings).await?.items.remove(0)?;
//! assert_eq!(newest.event.message, "the disk is nearly full");
//! # Ok(())
//! # }
//! ```
//!
//! [`Draft::report`]: outlast_store::Draft::report

mod log;
mod query;

pub use log::{EventLog, Reported};
pub use query::EventQuery;
