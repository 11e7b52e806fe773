//! Small rows: where the store stands, whose it is, what a stream holds, and numbers.

use outlast_core::{Revision, Seq};
use uuid::Uuid;

use super::{Content, Flaw, Reader, Writer};
use crate::tally::Tallies;

/// Where the store stands. Every transaction rewrites it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Transactions so far. It tells whether one was applied when its answer was lost.
    pub(crate) transaction: u64,
    /// The last commit.
    pub(crate) revision: Revision,
    /// The feed begins after this one.
    pub(crate) floor: Revision,
    /// The place of the last version written.
    pub(crate) position: u64,
    /// What the tables hold.
    pub(crate) tallies: Tallies,
}

impl Content for State {
    fn write(&self, out: &mut Writer) {
        out.number(self.transaction);
        out.number(self.revision.0);
        out.number(self.floor.0);
        out.number(self.position);
        self.tallies.write(out);
    }

    fn read(key: &[u8], from: &mut Reader<'_>) -> Result<Self, Flaw> {
        Ok(Self {
            transaction: from.number()?,
            revision: Revision(from.number()?),
            floor: Revision(from.number()?),
            position: from.number()?,
            tallies: Tallies::read(key, from)?,
        })
    }
}

/// Whose data this is: it must agree with the marker beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) store: Uuid,
    pub(crate) incarnation: Uuid,
}

impl Content for Identity {
    fn write(&self, out: &mut Writer) {
        out.id(self.store.as_bytes());
        out.id(self.incarnation.as_bytes());
    }

    fn read(_key: &[u8], from: &mut Reader<'_>) -> Result<Self, Flaw> {
        let store = Uuid::from_bytes(from.id()?);
        Ok(Self { store, incarnation: Uuid::from_bytes(from.id()?) })
    }
}

/// The places a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) first: Seq,
    pub(crate) last: Seq,
}

impl Content for Extent {
    fn write(&self, out: &mut Writer) {
        out.number(self.first.0);
        out.number(self.last.0);
    }

    fn read(_key: &[u8], from: &mut Reader<'_>) -> Result<Self, Flaw> {
        Ok(Self { first: Seq(from.number()?), last: Seq(from.number()?) })
    }
}

/// A revision, as what a commit id leads to.
impl Content for Revision {
    fn write(&self, out: &mut Writer) {
        out.number(self.0);
    }

    fn read(_key: &[u8], from: &mut Reader<'_>) -> Result<Self, Flaw> {
        Ok(Self(from.number()?))
    }
}

/// A key, as what a place in the audit trail leads to.
impl Content for Vec<u8> {
    fn write(&self, out: &mut Writer) {
        out.bytes(self);
    }

    fn read(_key: &[u8], from: &mut Reader<'_>) -> Result<Self, Flaw> {
        Ok(from.bytes()?.to_vec())
    }
}

/// Nothing: the key says all.
impl Content for () {
    fn write(&self, _out: &mut Writer) {}

    fn read(_key: &[u8], _from: &mut Reader<'_>) -> Result<Self, Flaw> {
        Ok(())
    }
}
