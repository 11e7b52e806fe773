//! What the model keeps: the database, one process, and what was promised.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use outlast_orchestrator::migration::Phase;
use outlast_orchestrator::migration::control::Control;

/// One of the two kinds, each with one entity.
pub(crate) type Slot = usize;

/// Both kinds.
pub(crate) const BOTH: [Slot; 2] = [0, 1];

/// Something for each kind.
pub(crate) type Each<T> = [T; 2];

/// The most lineages that a kind may have had.
pub(crate) const LINEAGES: usize = 3;

/// One version of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Val {
    /// Who numbered it, and how.
    pub(crate) version: (u8, u8),
    /// The commit that made it: its content.
    pub(crate) id: u8,
    /// Not a tombstone.
    pub(crate) live: bool,
}

/// The version of what may be there.
pub(crate) fn version(val: Option<Val>) -> (u8, u8) {
    val.map_or((0, 0), |val| val.version)
}

/// A row of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) phase: Phase,
    pub(crate) epoch: u8,
    pub(crate) lineage: u8,
    pub(crate) owner: u8,
    pub(crate) numbered: u8,
    /// The version of the row itself.
    pub(crate) stamp: u8,
}

/// The owner that is never us.
pub(crate) const STRANGER: u8 = u8::MAX;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Db {
    pub(crate) up: bool,
    pub(crate) rows: Each<Option<Row>>,
    pub(crate) data: Each<[Option<Val>; LINEAGES]>,
}

/// A write on its way to the database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sent {
    pub(crate) vals: Each<Option<(u8, Val)>>,
    /// The commits that it is made of.
    pub(crate) ids: Vec<u8>,
    /// The rows it was sent under.
    pub(crate) rows: Each<Option<u8>>,
    pub(crate) owner: u8,
}

/// A write that arrives after whoever sent it gave up, or was taken for dead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Late {
    pub(crate) sent: Sent,
    /// Nothing was committed since it was sent.
    pub(crate) fresh: bool,
    /// The process was only paused, and tries again if somebody else was faster.
    pub(crate) paused: bool,
}

/// Whether the last commit of the database is known to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cache {
    None,
    Fresh,
    Stale,
}

/// One commit of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    pub(crate) id: u8,
    pub(crate) vals: Each<Option<Val>>,
    /// What its plan promises.
    pub(crate) durable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum WriteStage {
    Planned,
    Clean(Each<bool>),
    Shipping,
    Far,
    Near,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Write {
    pub(crate) parts: Vec<Part>,
    pub(crate) stage: WriteStage,
    /// The terms changed since it was planned.
    pub(crate) outdated: bool,
    /// Memory changed since it was planned.
    pub(crate) moved: bool,
}

/// Who waits for a shipment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum For {
    Nobody,
    Write,
    Move,
    Fill,
}

/// A shipment that was read and has not arrived.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ship {
    pub(crate) whom: For,
    pub(crate) taken: Each<bool>,
    pub(crate) vals: Each<Option<(u8, Val)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MoveStage {
    Checked,
    Ship,
    Shipping,
    /// Whether the database was there when that was looked at.
    Commit(bool),
    Flip(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Move {
    pub(crate) slot: Slot,
    pub(crate) from: Phase,
    pub(crate) to: Phase,
    pub(crate) stage: MoveStage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FillStage {
    Clean,
    Shipping,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fill {
    pub(crate) slot: Slot,
    pub(crate) lineage: u8,
    pub(crate) stage: FillStage,
}

/// A write that the database may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kept {
    pub(crate) parts: Vec<Part>,
    /// The commits of it that the database has; the process does not know.
    pub(crate) landed: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proc {
    pub(crate) control: Arc<Control>,
    pub(crate) me: u8,
    /// What it numbers new versions under.
    pub(crate) numbering: u8,
    pub(crate) mem: Each<Option<Val>>,
    pub(crate) rows: Each<Option<u8>>,
    pub(crate) cache: Cache,
    pub(crate) write: Option<Write>,
    pub(crate) ship: Option<Ship>,
    pub(crate) moving: Option<Move>,
    pub(crate) fill: Option<Fill>,
    pub(crate) kept: Option<Kept>,
    /// What was acknowledged, at least as volatile, since it started.
    pub(crate) acked: Each<Option<Val>>,
}

impl Hash for Proc {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.control.hash(state);
        (self.me, self.numbering, self.mem, self.rows, self.cache).hash(state);
        (&self.write, &self.ship, self.moving, self.fill, &self.kept).hash(state);
        self.acked.hash(state);
    }
}

/// What went wrong in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bad {
    /// A store went back to an older version, or has two contents under one.
    S4,
    /// A write was made under a row that another process has.
    S5,
    /// A kind does not start where the ledger says.
    S8,
    /// An illegal move, or an epoch that does not rise.
    S9,
    /// An acknowledgement says durable, and the database has not got it.
    S10,
    /// A process was fenced that nobody took over from.
    S11,
}

/// How much of everything may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Left {
    pub(crate) ops: u8,
    pub(crate) moves: u8,
    pub(crate) crashes: u8,
    pub(crate) outages: u8,
    pub(crate) doubts: u8,
    pub(crate) thefts: u8,
    pub(crate) repairs: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) db: Db,
    pub(crate) late: Option<Late>,
    pub(crate) running: Option<Proc>,
    /// The newest that was ever acknowledged as durable.
    pub(crate) durable: Each<Option<Val>>,
    /// What the last lineage held that was left, and whether memory went on without it.
    pub(crate) fossil: Each<Option<(u8, bool)>>,
    /// The last batch over both kinds that had to go to the database as one.
    pub(crate) pair: Option<Each<(u8, u8)>>,
    pub(crate) next_id: u8,
    pub(crate) next_owner: u8,
    pub(crate) left: Left,
    pub(crate) bad: Option<Bad>,
}
