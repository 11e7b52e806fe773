//! Moving state from memory to a database while it is used, and back, kind by kind, with nothing
//! lost.

mod adopt;
mod apply;
mod births;
mod boot;
mod checks;
pub mod control;
mod diff;
mod doctor;
mod dual;
pub mod fail;
mod family;
mod far;
mod hydrate;
pub mod ledger;
mod lineage;
mod mend;
#[allow(clippy::module_inception)]
mod migration;
mod moves;
mod phase;
mod policies;
mod progress;
mod quarantine;
mod rehearse;
mod resolved;
mod resume;
mod sentinel;
mod shadow;
mod ship;
mod status;
mod tend;

pub use adopt::{Adopted, Adoption, Fate};
pub use births::Flags;
pub use boot::{Started, check_free};
pub use checks::{Check, Facts, Thresholds, checks};
pub use diff::{Class, Compared, Mismatch};
pub use doctor::Finding;
pub use dual::{Dual, Pace};
pub use family::{children, generation, parents};
pub use far::{Connect, Fixed};
pub use migration::{Migration, Near, Options, Step};
pub use phase::{Phase, Policy, is_move, is_retreat};
pub use policies::Policies;
pub use progress::{Certificate, Moved, Progress};
pub use quarantine::{Quarantined, Released};
pub use rehearse::Rehearsed;
pub use resolved::resolve;
pub use sentinel::{Mark, Marks, Sentinel};
pub use shadow::ShadowReads;
pub use status::{KindStatus, Status};
