//! Whether what entities refer to is there.
//!
//! A store has no foreign keys: the engines check references when they write, and [`check`] finds
//! what got past them, as a copy in another order, a program of another version or a repair by
//! hand can leave it. What is settled may outlive what it refers to, since retention removes kinds
//! at different ages; what is not may not.
//!
//! ```
//! # use std::sync::Arc;
//! # use outlast_core::{Agent, RandomIds};
//! # use outlast_store::{Store, StoreOptions};
//! use outlast_orchestrator::references;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> outlast_core::Result<()> {
//! # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
//! # let store = Store::open(backend, StoreOptions::default());
//! let mut agent = Agent::new("large", "read", store.clock().now());
//! agent.swarm_id = Some("gone".to_owned());
//! store.kind::<Agent>().create("a", &agent).await?;
//!
//! let found = references::check(&store).await?;
//! assert_eq!((found.checked, found.dangling), (1, 1));
//! assert_eq!(found.examples[0].to_string(), "agent/a: its swarm_id names swarm/gone, which does not exist");
//! # Ok(())
//! # }
//! ```

mod check;
mod claim;
mod links;

pub use check::{Dangling, References, check};
