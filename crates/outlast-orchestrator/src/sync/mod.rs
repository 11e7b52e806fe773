//! The change feed as a subscription: a snapshot, then every change after it in order.
//!
//! A [`Feed`] is made once per store. Each [`Subscription`] of it tells [`Message`]s: first
//! [`Message::Init`], what there is at one revision, then one [`Message::Delta`] for each later
//! revision, none left out and none twice. Whoever comes back names the [`Position`] it had and is
//! told what it missed, as long as the store still holds it.
//!
//! ```
//! # use std::sync::Arc;
//! # use outlast_core::{RandomIds, Session};
//! # use outlast_store::{Store, StoreOptions};
//! use outlast_orchestrator::sync::{Feed, Message, Mirror, SyncOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> outlast_core::Result<()> {
//! # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
//! # let store = Store::open(backend, StoreOptions::default());
//! let feed = Feed::of(&store);
//! let mut subscription = feed.subscribe(SyncOptions::default());
//! let mut mirror = Mirror::new();
//! mirror.apply(&subscription.next().await?);
//!
//! let sessions = store.kind::<Session>();
//! let session = Session::new("tree", "main", store.clock().now());
//! let stored = sessions.create("s1", &session).await?;
//!
//! let message = subscription.next().await?;
//! assert!(matches!(message, Message::Delta(_)));
//! mirror.apply(&message);
//! assert_eq!(mirror.item(&stored.key).map(|item| item.version), Some(stored.version));
//! # Ok(())
//! # }
//! ```
//!
//! # What may surprise
//!
//! - One task reads the store's changes for all subscriptions of a feed, and only while there is
//!   one. What it tells is put into a queue of each subscription without waiting: a subscription
//!   that is not asked for long enough is told [`Message::Resync`] and then gets a snapshot again;
//!   the others notice nothing, and neither does who writes.
//! - A delta is told for every revision, also for one that changed nothing that was chosen: it is
//!   empty then. So a client sees a gap by counting.
//! - Transient attributes (heartbeats, progress) make no revision and are in no message.
//! - The content of kinds whose values are secret is told like any other: choose the kinds that a
//!   client may see.
//! - What is damaged is named in the message, and neither hides the rest nor ends the feed.
//! - A snapshot is bounded: of commands and pipelines that are settled it holds the newest only,
//!   and of any kind so many at most. What it left out is counted in it; once one of these
//!   changes, it is told.
//!
//! # As JSON
//!
//! Messages are written as `{"type", "version", "incarnation", "payload"}`. The version is the
//! revision. Numbers that may grow beyond what JavaScript can count (revisions, versions, places
//! in streams) are written as text, and read as text or number.

mod delta;
mod feed;
mod gather;
mod happening;
mod item;
mod journal;
mod message;
mod mirror;
mod options;
mod reader;
mod snapshot;
mod subscription;
mod wire;

pub use delta::{Appended, Delta};
pub use feed::Feed;
pub use happening::Happening;
pub use item::{Item, Op};
pub use message::{Message, Position, Reason, Request};
pub use mirror::{Mirror, Reaction};
pub use options::{Chosen, SyncOptions};
pub use snapshot::Snapshot;
pub use subscription::Subscription;
