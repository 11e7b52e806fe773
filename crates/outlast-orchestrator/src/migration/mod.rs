//! Moving state from memory to a database while it is used, and back, kind by kind, with nothing
//! lost.

mod apply;
mod births;
mod boot;
pub mod control;
mod dual;
mod far;
mod hydrate;
pub mod ledger;
mod lineage;
mod phase;
mod policies;
mod sentinel;
mod shadow;
mod ship;

pub use births::Flags;
pub use boot::Started;
pub use dual::{Dual, Pace};
pub use far::{Connect, Fixed};
pub use phase::{Phase, Policy, is_move};
pub use policies::Policies;
pub use sentinel::{Mark, Marks, Sentinel};
pub use shadow::ShadowReads;
