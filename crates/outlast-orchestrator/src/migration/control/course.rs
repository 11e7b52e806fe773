//! Where one kind stands.

use crate::migration::ledger::Row;
use crate::migration::{Phase, Policy};

/// Where one kind stands, as far as its writes are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
pub struct Course {
    /// How far it has moved.
    pub phase: Phase,
    /// The fence: raised by every move and every new owner.
    pub epoch: u64,
    /// The lineage it is kept under in the database.
    pub lineage: u16,
    /// What becomes of a change in shadow while the database is away.
    pub policy: Policy,
    /// Another process took it over: this one serves it no more.
    pub fenced: bool,
    /// It was moved while the database was away, which the ledger has yet to be told.
    pub owed: bool,
    /// Everything memory had when mirroring began was shipped.
    pub backfilled: bool,
    /// Memory holds all of its history and streams, not only what is current.
    pub whole: bool,
}

impl Course {
    /// That of a kind only memory knows.
    pub fn memory() -> Self {
        Self {
            phase: Phase::Memory,
            epoch: 0,
            lineage: 0,
            policy: Policy::default(),
            fenced: false,
            owed: false,
            backfilled: false,
            whole: true,
        }
    }

    /// That of a kind whose ledger has been moved to a row, and of which memory goes on having
    /// what it has.
    pub fn after(self, row: &Row) -> Self {
        let (phase, epoch, lineage) = (row.phase, row.epoch, row.lineage);
        let stays = self.phase > Phase::Memory && phase > Phase::Memory;
        let whole = self.whole || !stays;
        Self { phase, epoch, lineage, backfilled: self.backfilled && stays, whole, ..self }
    }

    /// Whether the database keeps a copy, or more.
    pub fn is_mirrored(&self) -> bool {
        self.phase >= Phase::Mirror
    }
}
