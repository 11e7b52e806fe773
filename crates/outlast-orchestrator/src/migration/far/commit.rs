//! Writing: sets that memory planned, and batches of the migration's own.

use std::collections::BTreeSet;

use outlast_core::{
    Attributes, Batch, Commit, Error, ErrorKind, Key, Kind, Outcome, PlanContext, ReadSet, Receipt,
    Result, Revision, WriteSet, Written, plan, read_set,
};
use tokio::time::timeout;

use super::{Writer, is_away, is_unknown};
use crate::migration::control::FarAnswer;

/// How often somebody else may be faster.
const RACES: u32 = 64;

/// What became of a write of planned commits.
#[derive(Debug)]
pub(crate) enum Sent {
    Answer(FarAnswer),
    /// The database refused the content, with this error.
    Refused(Error),
}

impl Writer<'_> {
    /// Writes what memory planned, if every row of the ledger is still ours. The keys are the
    /// database's; each of their heads must be older than what is written.
    pub(crate) async fn write(
        &mut self,
        commits: Vec<Commit>,
        touches: Vec<(Key, Attributes)>,
    ) -> Sent {
        match self.send(commits, touches).await {
            Ok(Ok(())) => Sent::Answer(FarAnswer::Applied),
            Ok(Err(lost)) => Sent::Answer(FarAnswer::Fenced(lost)),
            Err(error) if is_away(&error) => {
                self.session.revision = None;
                self.session.is_broken |= error.kind() == ErrorKind::Closed;
                Sent::Answer(FarAnswer::Away(error.kind(), error.to_string()))
            }
            Err(error) if is_unknown(&error) => {
                self.session.revision = None;
                self.session.is_broken = true;
                Sent::Answer(FarAnswer::Unknown(error.to_string()))
            }
            Err(error) => {
                self.session.revision = None;
                Sent::Refused(error)
            }
        }
    }

    async fn send(
        &mut self,
        commits: Vec<Commit>,
        touches: Vec<(Key, Attributes)>,
    ) -> Result<Result<(), BTreeSet<Kind>>> {
        let mut set = WriteSet { commits, touches, ..WriteSet::default() };
        for _ in 0..RACES {
            let base = match self.session.revision {
                Some(revision) => revision,
                None => match self.base(&set).await? {
                    Ok(revision) => revision,
                    Err(lost) => return Ok(Err(lost)),
                },
            };
            renumber(&mut set, base);
            match self.submit(&set).await? {
                Written::Applied(_) => {
                    self.session.revision = Some(last(&set));
                    return Ok(Ok(()));
                }
                Written::Raced => self.session.revision = None,
            }
        }
        Err(Error::busy(format!("other processes committed first {RACES} times")))
    }

    /// A write, within the patience. Running out of it leaves open what was applied.
    async fn submit(&mut self, set: &WriteSet) -> Result<Written> {
        let backend = self.far.reader()?;
        let patience = self.far.patience();
        timeout(patience, backend.write(set)).await.unwrap_or_else(|_| {
            let waited = patience.as_millis();
            Err(Error::indeterminate(format!("the database did not answer within {waited} ms")))
        })
    }

    /// The last commit, if the rows are ours and nobody wrote what is to be written.
    async fn base(&mut self, set: &WriteSet) -> Result<Result<Revision, BTreeSet<Kind>>> {
        let versions = || set.commits.iter().flat_map(|commit| &commit.versions);
        let keys = versions().map(|version| version.key.clone()).collect();
        let view = self.fetch(ReadSet { keys, ..ReadSet::default() }).await?;
        let lost = self.session.lost(&view)?;
        if !lost.is_empty() {
            return Ok(Err(lost));
        }
        for version in versions() {
            let newer = view.heads.get(&version.key).filter(|head| head.version >= version.version);
            if let Some(newer) = newer {
                return Err(Error::new(
                    ErrorKind::Diverged,
                    format!(
                        "{} is at version {} in the database already, which this process did not \
                         write; compare the stores with `outlast migrate state diff`",
                        version.key, newer.version
                    ),
                ));
            }
        }
        Ok(Ok(view.revision))
    }

    /// Plans a batch over what the database has and writes it, all or nothing, if every row of
    /// the ledger is still ours. `Fenced` if not, `Conflict` if an expectation does not hold;
    /// `Unavailable`, `Busy` and `StorageFull` if nothing was applied, `Indeterminate` if nobody
    /// knows.
    pub(crate) async fn commit(&mut self, batch: &Batch) -> Result<Receipt> {
        for _ in 0..RACES {
            let view = self.fetch(read_set([batch])).await?;
            let lost = self.session.lost(&view)?;
            if let Some(kind) = lost.first() {
                return Err(Error::new(
                    ErrorKind::Fenced,
                    format!("another process took {kind} over; this one may not write it any more"),
                ));
            }
            let info = self.far.info();
            let now = self.far.clock.now();
            let context = PlanContext { now, epoch: info.epoch, durability: info.durability };
            let mut planned = plan(view, [batch], &context);
            let outcome = planned.outcomes.pop().unwrap_or_else(|| Err(Error::internal("no plan")));
            let receipt = match outcome? {
                Outcome::Applied(receipt) | Outcome::Replayed(receipt) => receipt,
                Outcome::Conflict { key, actual, .. } => {
                    let actual = actual.map_or("absent".to_owned(), |v| format!("at version {v}"));
                    let message = format!("{key} is {actual}, which was not expected");
                    return Err(Error::new(ErrorKind::Conflict, message));
                }
            };
            if planned.set.is_empty() {
                return Ok(receipt);
            }
            match self.submit(&planned.set).await {
                Ok(Written::Applied(_)) => {
                    self.session.revision = Some(last(&planned.set));
                    return Ok(receipt);
                }
                Ok(Written::Raced) => self.session.revision = None,
                Err(error) => {
                    self.session.revision = None;
                    self.session.is_broken |= is_unknown(&error);
                    return Err(error);
                }
            }
        }
        Err(Error::busy(format!("other processes committed first {RACES} times")))
    }
}

fn renumber(set: &mut WriteSet, base: Revision) {
    set.base = base;
    let mut revision = base;
    for commit in &mut set.commits {
        revision = revision.next();
        commit.revision = revision;
        for version in &mut commit.versions {
            version.revision = revision;
        }
    }
}

fn last(set: &WriteSet) -> Revision {
    set.commits.last().map_or(set.base, |commit| commit.revision)
}
