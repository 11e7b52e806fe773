//! Artifacts, and the windows in which they are put together: joins and batches that survive a
//! restart.
//!
//! An agent declares what it waits for as a [`Subscription`](outlast_core::Subscription). What is
//! [published](Windows::publish) goes through every subscription that it matches: **visibility and
//! filters, then the join or gate, then the batch, then the hand-over**. What does not match never
//! touches a window.
//!
//! * A **join** puts artifacts together that have one key, a gate does so without one: as soon as
//!   there are as many of each type as declared. A join ends by time, strictly after its window,
//!   which begins with its first artifact; or by number, with the artifact that is more than so many
//!   after its first, of those that matched the subscription. What is not complete then expires
//!   and is never handed over. What is left over when it completes waits on, as if the first of it
//!   had just opened the window.
//! * A **batch** collects artifacts, or what came out of the join or gate, which counts as one. It
//!   is handed over at its size, or exactly its timeout after its first item, whatever is first.
//! * A **hand-over** is durable: the window is recorded as being handed over, under a dispatch id, in
//!   the commit that ended it. The [`Handler`] is called until it says that it is done, and that is
//!   recorded together with who consumed what. After a failure or a crash it is called again under
//!   the same id; after too many tries the window is a dead letter.
//!
//! Keys are compared with their type: `"1"` and `1` are two, `1` and `1.0` are one. An artifact
//! without a key is left out of the join, counted and reported.
//!
//! # One commit, and what fits into it
//!
//! An artifact, all the windows it changes, and all that is reported of it are one commit: all or
//! nothing. So there is a bound on how many subscriptions may wait for one artifact, about fifty
//! with the limits of the embedded stores; an artifact that more match is refused whole. For the
//! same reason a hand-over is about at most a thousand artifacts: a batch whose size would be more
//! is refused when it is declared, and one without a size is handed over when it is that large.
//!
//! # After a restart
//!
//! [`Windows::start`] reads what was open. Deadlines are moments, so each window has what was left
//! of its time; what was due meanwhile is ended at once, and once. A window is attached to the
//! subscription of its name only if that asks for the same (its fingerprint); else it is set aside
//! as `orphaned`, visible, until somebody [attaches](Windows::reattach) or
//! [cancels](Windows::cancel) it. A hand-over is complete by the terms it was opened under and goes
//! on whatever its subscription asks for now. If the clock is before the moment at which a window
//! was opened, the window has its full time once more.
//!
//! What may surprise: the order of a join's artifacts is that in which their types were declared,
//! and arrival only among those of one type. `After` visibility is judged once, when the artifact is
//! published. And an artifact that the agent [consumed](Artifacts::consume) by itself is taken out
//! of its windows at the next restart, not before.
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use outlast_core::{Artifact, JoinWithin, RandomIds, Result, Subscription};
//! use outlast_orchestrator::Instance;
//! use outlast_orchestrator::windows::{Delivery, Handler, WindowOptions, Windows};
//! use outlast_store::{Store, StoreOptions};
//! use serde_json::json;
//!
//! struct Shipping;
//!
//! #[async_trait]
//! impl Handler for Shipping {
//!     async fn deliver(&self, delivery: Delivery) -> Result<()> {
//!         let types: Vec<_> = delivery.artifacts().map(|one| one.type_name.clone()).collect();
//!         assert_eq!(types, ["order", "payment"]);
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
//! # let store = Store::open(backend, StoreOptions::default());
//! let instance = Instance::acquire(&store, false).await?;
//! let paid = Subscription::new("shipping", "paid", ["order", "payment"])
//!     .join_by("order.id", JoinWithin::Time(60_000));
//! let windows =
//!     Windows::start(&instance, vec![paid], Arc::new(Shipping), WindowOptions::default()).await?;
//!
//! let now = store.clock().now();
//! windows.publish(Artifact::new("payment", json!({ "order": { "id": 7 } }), now)).await?;
//! windows.publish(Artifact::new("order", json!({ "order": { "id": 7 } }), now)).await?;
//! windows.tick().await?; // or `windows.run()` in a task of its own
//! assert_eq!((windows.stats().dispatched, windows.stats().open), (1, 0));
//! windows.shutdown().await?;
//! instance.release().await
//! # }
//! ```

mod artifacts;
mod dispatch;
mod drive;
mod due;
mod engine;
mod gate;
mod handle;
mod handler;
mod load;
mod matching;
mod open;
mod options;
mod orphan;
mod outcome;
mod payload;
mod publish;
mod query;
mod queue;
mod registered;
mod repair;
mod restore;
mod retry;
mod settle;
mod snapshot;
mod state;
mod step;
mod timers;
mod turns;
mod work;

#[cfg(feature = "recovery")]
pub(crate) use open::fires_at;
#[cfg(feature = "recovery")]
pub(crate) use repair::claim_of;

pub use artifacts::{ArtifactQuery, Artifacts};
pub use handle::Windows;
pub use handler::{Delivery, Handler};
pub use load::WindowStats;
pub use options::{Acknowledge, AtShutdown, WindowOptions};
pub use publish::{Published, WindowChange};
pub use query::PastWindows;
pub use restore::Restored;
pub use settle::Settled;
pub use snapshot::snapshot;
pub use state::{BatchState, CommonState, FlushPrediction, JoinState, Urgency, WindowState};
