//! Export of a whole store to JSON lines, and import into another, from any backend to any.
//!
//! Everything is taken over unchanged: every version of every entity, deletions included, with
//! its epoch, number, time, actor and commit id; every entry of every stream under its number;
//! and transient attributes. Only revisions stay behind, since they are each store's own. Two
//! stores with the same content export the same bytes but for the first line.
//!
//! # The format
//!
//! The first line says what it is and where it came from. Then come the entities in the order of
//! their keys, each with its versions, the oldest first; then the streams in the order of kind,
//! lineage and name, each with its entries. The last line counts them and carries a checksum of
//! all lines between; a line of content carries one of its own, so that damage is named by line.
//!
//! # What may surprise
//!
//! - An export shows the store as it was at one commit, the last before it began, however long
//!   it takes and whatever is written meanwhile. It holds no lock. If retention removes what the
//!   export has yet to read, it ends with `Busy` instead of with a gap.
//! - An import checks the whole input before it writes the first record, and reads it twice for
//!   that. It is not one commit: when it is cut off, what was imported stays, and importing again
//!   goes on from there. Importing twice changes nothing.
//! - Into a store that is not empty, versions it lacks are added and the newest one wins. Where it
//!   holds other content under the same version or place, it is left as it is and named.
//!
//! ```
//! use std::io::Cursor;
//! use std::sync::Arc;
//! use outlast_core::RandomIds;
//! use outlast_memory::Memory;
//! use outlast_orchestrator::transfer::{export, import};
//! use outlast_store::{Store, StoreOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> outlast_core::Result<()> {
//! let open = || Store::open(Arc::new(Memory::new(&RandomIds)), StoreOptions::default());
//! let (from, to) = (open(), open());
//!
//! let mut lines = Vec::new();
//! export(&from, &mut lines, &mut |_| {}).await?;
//! let imported = import(&to, Cursor::new(lines), &mut |_| {}).await?;
//! assert_eq!(imported.diverged, 0);
//! # Ok(())
//! # }
//! ```

mod check;
mod copy;
mod cut;
mod export;
mod file;
mod format;
mod import;
mod lines;
mod merge;
mod reader;
mod stream;
mod tally;
mod writer;

pub use copy::copy;
pub use export::{Exported, export};
pub use file::{export_file, import_file, spool};
pub use format::Header;
pub use import::{Divergence, Imported, check, import};
pub use tally::{Phase, Progress, Tally};
