//! What a writer of the database knows about it.

use std::collections::BTreeSet;

use outlast_core::{
    Attributes, CommitId, Error, ErrorKind, Expect, Id, Json, Key, Kind, Op, PrunePlan, Put,
    ReadSet, Result, Revision, View,
};

use super::Writer;
use crate::migration::ledger::{self, PROGRESS, Row, Rows};

/// Rows removed by one call.
const PRUNED_AT_ONCE: u32 = 1000;

/// What a writer of the database knows about it.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Its last commit, if nobody else wrote since.
    pub(crate) revision: Option<Revision>,
    /// The rows of the ledger that are ours, as we wrote them.
    pub(crate) rows: Rows,
    /// What is open is of no use any more.
    pub(crate) is_broken: bool,
}

impl Session {
    /// The kinds whose rows are not as we wrote them: another process took them over.
    pub(crate) fn lost(&self, view: &View) -> Result<BTreeSet<Kind>> {
        let mut lost = BTreeSet::new();
        for (kind, (_, version)) in &self.rows {
            let head = view.heads.get(&Row::key(kind)?);
            if head.is_none_or(|head| head.version != *version || !head.live) {
                lost.insert(kind.clone());
            }
        }
        Ok(lost)
    }

    /// Forgets the rows of kinds that are not ours any more; others are written without them.
    pub(crate) fn forget(&mut self, lost: &BTreeSet<Kind>) {
        self.rows.retain(|kind, _| !lost.contains(kind));
    }

    /// Adds the rows to what is read.
    pub(crate) fn reads(&self, mut reads: ReadSet) -> Result<ReadSet> {
        for kind in self.rows.keys() {
            reads.keys.insert(Row::key(kind)?);
        }
        Ok(reads)
    }
}

impl Writer<'_> {
    /// Reads with the rows of the ledger, and notes the last commit if they are all as we wrote
    /// them: whoever writes after it is not going to look at them again.
    pub(crate) async fn fetch(&mut self, reads: ReadSet) -> Result<View> {
        let reads = self.session.reads(reads)?;
        let backend = self.far.reader()?;
        let view = self.far.within(backend.fetch(&reads)).await;
        let view = view.inspect_err(|_| {
            // What is open may be of no use any more; opening it anew finds out.
            self.session.is_broken = true;
        })?;
        let is_ours = self.session.lost(&view)?.is_empty();
        self.session.revision = is_ours.then_some(view.revision);
        Ok(view)
    }

    /// Reads and finds out whether any row was lost. One that differs and names the same owner is
    /// of our own hand, written when nobody could say whether it was: it is taken as it is.
    pub(crate) async fn check(&mut self) -> Result<BTreeSet<Kind>> {
        let view = self.fetch(ReadSet::default()).await?;
        let mut lost = self.session.lost(&view)?;
        if lost.is_empty() {
            return Ok(lost);
        }
        let backend = self.far.reader()?;
        for (kind, there) in self.far.within(ledger::read(&*backend)).await? {
            let ours = self.session.rows.get(&kind).map(|(row, _)| &row.owner);
            if lost.contains(&kind) && ours == Some(&there.0.owner) {
                lost.remove(&kind);
                self.session.rows.insert(kind, there);
            }
        }
        Ok(lost)
    }

    /// Removes what a plan names, all of it.
    pub(crate) async fn prune(&mut self, plan: &PrunePlan) -> Result<()> {
        if let Some(kind) = self.check().await?.first() {
            return Err(Error::new(
                ErrorKind::Fenced,
                format!("another process took {kind} over; this one removes nothing any more"),
            ));
        }
        let backend = self.far.reader()?;
        while !self.far.within(backend.prune(plan, PRUNED_AT_ONCE)).await?.done {}
        Ok(())
    }

    /// Writes something of no meaning, to find out whether that works.
    pub(crate) async fn try_out(&mut self) -> Result<()> {
        let key = Key::of(Kind::new(PROGRESS)?, Id::new("*tried")?);
        let now = self.far.clock.now();
        let state = Json::encode(&now)?;
        let put = Put { key, expect: Expect::Any, schema: 1, attrs: Attributes::new(), state };
        let batch = ledger::batch(self.commit_id(), "tried out", vec![Op::Put(put)]);
        self.commit(&batch).await.map(drop)
    }

    /// A new name for a commit.
    pub(crate) fn commit_id(&self) -> CommitId {
        self.far.ids.commit_id()
    }

    /// Makes sure that something useful is open.
    pub(crate) async fn reconnect(&mut self) -> Result<()> {
        if self.session.is_broken || self.far.reader().is_err() {
            self.session.revision = None;
            self.far.reopen().await?;
            self.session.is_broken = false;
        }
        Ok(())
    }
}
