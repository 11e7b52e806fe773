//! One pass of retention over a store.

use std::time::Duration;

use outlast_core::{
    Entity, Error, ErrorKind, Expect, Key, Kind, Op, Page, Prune, Query, REMEMBERED_FOR, Result,
    Run, Slot, Task, Timestamp, Version,
};
use outlast_store::{Store, Stored};

use super::finished::{Verdict, attempts, is_over, judge};
use super::removal::{count_task, deletion, is_ours, remove, remove_tasks};
use super::report::Report;

/// How many records are read, and deleted in one commit.
pub(super) const PAGE: u32 = 128;

/// What may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long a run must have been over. Zero removes every finished run.
    pub age: Duration,
    /// The present, from which the age counts.
    pub now: Timestamp,
    /// Whether only to report what would go.
    pub dry_run: bool,
}

/// Removes finished runs of the given age with everything that belongs to them, and completes
/// what an earlier call that was cut off began.
///
/// A dry run changes nothing and reports what a real one would at this moment. Calling again
/// removes nothing more.
///
/// Errors are those of [`Store::commit`], [`Store::prune`] and of reading. A run of which
/// something cannot be read is kept and reported; one that changed meanwhile is left to the next
/// call.
///
/// Cancel safety: may be dropped at any time. What was deleted stays deleted, and the next call
/// goes on from there.
///
/// ```
/// # use std::sync::Arc;
/// # use std::time::Duration;
/// # use outlast_core::RandomIds;
/// # use outlast_store::{Store, StoreOptions};
/// use outlast_orchestrator::retention::{Retention, prune};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> outlast_core::Result<()> {
/// # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
/// # let store = Store::open(backend, StoreOptions::default());
/// let month = Duration::from_hours(30 * 24);
/// let retention = Retention { age: month, now: store.clock().now(), dry_run: false };
/// let report = prune(&store, &retention).await?;
/// assert_eq!((report.runs, report.log_bytes), (0, 0));
/// # Ok(())
/// # }
/// ```
pub async fn prune(store: &Store, retention: &Retention) -> Result<Report> {
    let mut pass = Pass {
        store,
        cutoff: retention.now.minus(retention.age),
        dry_run: retention.dry_run,
        report: Report::default(),
    };
    pass.leftovers().await?;
    pass.runs().await?;
    pass.commits().await?;
    Ok(pass.report)
}

struct Pass<'a> {
    store: &'a Store,
    cutoff: Timestamp,
    dry_run: bool,
    report: Report,
}

impl Pass<'_> {
    /// Removes attempts that were deleted and not yet removed.
    async fn leftovers(&mut self) -> Result<()> {
        let mut query = everything(Task::KIND)?;
        loop {
            let page = self.store.list(&query).await?;
            let mut deleted = Vec::new();
            for slot in page.items {
                if let Slot::Tombstone { key, version, .. } = slot
                    && is_ours(self.store, &key).await?
                {
                    deleted.push((key, version));
                }
            }
            self.remove_tasks(deleted).await?;
            let Some(next) = page.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }

    async fn runs(&mut self) -> Result<()> {
        let mut query = everything(Run::KIND)?;
        loop {
            let page = self.store.list(&query).await?;
            for slot in page.items {
                match slot {
                    Slot::Live(record) => match Stored::decode(*record) {
                        Ok(run) => self.run(&run).await?,
                        Err(error) => self.keep(error)?,
                    },
                    Slot::Tombstone { key, version, .. } => {
                        if is_ours(self.store, &key).await? {
                            self.rest(key, version).await?;
                        }
                    }
                    Slot::Damaged(damage) => self.keep((*damage).into())?,
                    Slot::Vacant => {}
                }
            }
            let Some(next) = page.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }

    /// Forgets the commits that only output was left of, once nobody can send them again.
    async fn commits(&self) -> Result<()> {
        if self.dry_run {
            return Ok(());
        }
        // The store's own clock: it is what a repeated commit is judged by.
        let remembered = self.store.clock().now().minus(REMEMBERED_FOR);
        remove(self.store, vec![Prune::Commits { before: self.cutoff.min(remembered) }]).await
    }

    fn keep(&mut self, error: Error) -> Result<()> {
        if !error.is_of_one_record() {
            return Err(error);
        }
        self.report.keep(error);
        Ok(())
    }

    async fn run(&mut self, run: &Stored<Run>) -> Result<()> {
        match judge(self.store, run, self.cutoff).await? {
            Verdict::Stays => Ok(()),
            Verdict::Unknown(error) => self.keep(error),
            Verdict::Goes if self.dry_run => self.rest(run.key.clone(), run.version).await,
            Verdict::Goes => {
                let mut draft = deletion(self.store)?;
                draft.delete(run);
                match draft.commit().await {
                    Ok(receipt) => {
                        let deleted = receipt.version(&run.key).ok_or_else(|| {
                            Error::internal(format!("the receipt of deleting {} lacks it", run.key))
                        })?;
                        self.rest(run.key.clone(), deleted).await
                    }
                    Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// Removes what is left of a run that was deleted at this version.
    async fn rest(&mut self, run: Key, version: Version) -> Result<()> {
        let tasks = self.store.kind::<Task>();
        let (mut query, mut kept) = (attempts(self.store, run.id())?, false);
        loop {
            let page = tasks.list(&query).await?;
            let mut over = Vec::new();
            for attempt in page.items {
                match attempt {
                    // An age that was shorter when the run was deleted has had its effect.
                    Ok(attempt) if is_over(&attempt, Timestamp::from_micros(i64::MAX)) => {
                        over.push(attempt);
                    }
                    Ok(_) => kept = true,
                    Err(error) => {
                        kept = true;
                        self.keep(error)?;
                    }
                }
            }
            kept |= !self.tasks(over).await?;
            let Some(next) = page.next else { break };
            query.page = query.page.after(next);
        }
        if kept {
            return Ok(());
        }
        self.report.runs += 1;
        if self.dry_run {
            return Ok(());
        }
        remove(self.store, vec![Prune::Tombstone { key: run, version }]).await
    }

    /// Deletes attempts in one commit and removes them; `false` if one of them changed meanwhile
    /// and all of them are left to the next call.
    async fn tasks(&mut self, over: Vec<Stored<Task>>) -> Result<bool> {
        if over.is_empty() {
            return Ok(true);
        }
        let mut deleted: Vec<_> =
            over.iter().map(|attempt| (attempt.key.clone(), attempt.version)).collect();
        if !self.dry_run {
            let mut draft = deletion(self.store)?;
            for (key, version) in &deleted {
                draft.op(Op::Delete { key: key.clone(), expect: Expect::At(*version) });
            }
            match draft.commit().await {
                Ok(receipt) => deleted = receipt.versions,
                Err(error) if error.kind() == ErrorKind::Conflict => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.remove_tasks(deleted).await?;
        Ok(true)
    }

    async fn remove_tasks(&mut self, deleted: Vec<(Key, Version)>) -> Result<()> {
        for (key, _) in &deleted {
            count_task(self.store, key, &mut self.report).await?;
        }
        if self.dry_run { Ok(()) } else { remove_tasks(self.store, deleted).await }
    }
}

/// Everything of a kind, deleted entities included.
pub(super) fn everything(kind: &str) -> Result<Query> {
    Ok(Query { tombstones: true, page: Page::first(PAGE), ..Query::of(Kind::new(kind)?) })
}
