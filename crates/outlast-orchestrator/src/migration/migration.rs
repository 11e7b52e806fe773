//! The store that moves, and everything an operator does with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{Backend, Epoch, Error, ErrorKind, Kind, Result};
use outlast_store::{Store, StoreOptions};

use super::births::{Births, Flags};
use super::boot::{Started, check_owner};
use super::checks::{Check, Thresholds};
use super::control::Link;
use super::diff::Compared;
use super::dual::{Dual, Pace, Shared};
use super::far::{Connect, Far};
use super::ledger::{self, Rows};
use super::progress::Moved;
use super::{Marks, Phase, Policies, Sentinel, family};
use crate::process::identify_self;

/// Makes the store in memory, whose versions have to count as newer than those numbered under an
/// epoch.
pub type Near = Arc<dyn Fn(Epoch) -> Arc<dyn Backend> + Send + Sync>;

/// How a store moves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether there is a database at all. Off, nothing is opened and no file is written.
    pub enable_persistence: bool,
    /// Whether [`recovery`](crate::recovery) settles at start what the last process left
    /// unfinished. Memory is filled in any case.
    pub enable_recovery: bool,
    /// See [`StoreOptions::locking`].
    pub enable_optimistic_locking: bool,
    /// See [`StoreOptions::audit`].
    pub enable_audit_log: bool,
    /// Which kinds are wished to be in the database.
    pub flags: Flags,
    /// Whether the database is opened although no kind is wished to be there, so that an operator
    /// can move them later.
    pub standby: bool,
    /// What becomes of changes in shadow while the database is away.
    pub policies: Policies,
    /// Where the file lies that says which kinds are beyond memory. It must not depend on the
    /// database.
    pub state_dir: PathBuf,
    /// Where this process can be talked to while it moves kinds, for others to be told.
    pub control: Option<PathBuf>,
    /// How patient and how fast.
    pub pace: Pace,
    /// When a move is allowed.
    pub thresholds: Thresholds,
    /// Whether kinds walk by themselves to where they are wished to be.
    pub auto_advance: bool,
    /// Whether a live kind is rolled back by itself when the database has been away for so long.
    pub auto_rollback: Option<Duration>,
    /// Whether to take over from a process that cannot be seen from here.
    pub take_over: bool,
    /// How the store behaves otherwise. `locking` and `audit` are those above.
    pub store: StoreOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enable_persistence: true,
            enable_recovery: true,
            enable_optimistic_locking: true,
            enable_audit_log: true,
            flags: Flags::all(true),
            standby: false,
            policies: Policies::default(),
            state_dir: PathBuf::from(".outlast"),
            control: None,
            pace: Pace::default(),
            thresholds: Thresholds::default(),
            auto_advance: false,
            auto_rollback: None,
            take_over: false,
            store: StoreOptions::default(),
        }
    }
}

/// A store that can move, kind by kind, while it is used. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct Migration {
    store: Store,
    dual: Option<Dual>,
    started: Arc<Started>,
    pub(crate) options: Arc<Options>,
}

impl Migration {
    /// Opens a store in memory, and beside it the database if there is to be one. Every kind
    /// begins where the ledger says it stands; memory is filled from the database before this
    /// returns.
    ///
    /// Errors: `Conflict` if everything is switched off while a kind is beyond memory, or if both
    /// stores have records of a kind that no ledger knows, each with the commands that resolve it;
    /// `Busy` if another process moves this database; those of opening the database.
    pub async fn open(
        near: Near,
        database: Option<Arc<dyn Connect>>,
        options: Options,
    ) -> Result<Self> {
        let sentinel = Sentinel::within(&options.state_dir);
        let marks = sentinel.read()?;
        let is_wanted = options.flags.want_any() || options.standby;
        let database = database.filter(|_| options.enable_persistence && is_wanted);
        let Some(connect) = database else {
            refuse_beyond_memory(&marks, &sentinel)?;
            return Ok(Self::over(near(Epoch::default()), None, Started::default(), options));
        };
        let owner = identify_self()?;
        let (clock, ids) = (options.store.clock.clone(), options.store.ids.clone());
        let far = Arc::new(Far::open(connect, clock, ids, options.pace.patience).await?);
        let rows = ledger::read(&*far.reader()?).await?;
        for (kind, (row, _)) in &rows {
            check_owner(kind, row, &owner, options.take_over)?;
        }
        check_marks(&marks, &rows, &far)?;
        let births = Births {
            flags: options.flags.clone(),
            policies: options.policies.clone(),
            owner,
            control: options.control.as_ref().map(|path| path.display().to_string()),
            sentinel,
        };
        let numbered = rows.values().map(|(row, _)| row.numbered).max().unwrap_or(0);
        let dual = Dual::new(near, Epoch(numbered), far, births, options.pace);
        let kinds: Vec<Kind> = rows.keys().cloned().collect();
        let started = dual.shared.boot(rows, options.take_over).await?;
        dual.shared.recall(&kinds).await?;
        dual.tend();
        dual.shared.fill_gaps(&kinds).await?;
        dual.shared.find().await?;
        let backend: Arc<dyn Backend> = Arc::new(dual.clone());
        let migration = Self::over(backend, Some(dual), started, options);
        migration.tend();
        Ok(migration)
    }

    fn over(
        backend: Arc<dyn Backend>,
        dual: Option<Dual>,
        started: Started,
        options: Options,
    ) -> Self {
        let store_options = StoreOptions {
            locking: options.enable_optimistic_locking,
            audit: options.enable_audit_log,
            ..options.store.clone()
        };
        let store = Store::open(backend, store_options);
        Self { store, dual, started: Arc::new(started), options: Arc::new(options) }
    }

    /// The store everything is read from and written to.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What the start found.
    pub fn started(&self) -> &Started {
        &self.started
    }

    pub(crate) fn shared(&self) -> Result<&Arc<Shared>> {
        let shared = self.dual.as_ref().map(|dual| &dual.shared);
        shared.ok_or_else(|| {
            Error::new(
                ErrorKind::Conflict,
                "no database was opened: switch persistence on and name one (--migrate-to)",
            )
        })
    }

    /// The kinds there are, parents first.
    pub async fn kinds(&self) -> Result<Vec<Kind>> {
        let mut kinds: Vec<Kind> = match &self.dual {
            Some(dual) => dual.shared.control().courses().keys().cloned().collect(),
            None => {
                let there = self.store.backend().kinds().await?;
                let entities = there.entities.into_iter().map(|(_, kind)| kind);
                entities.chain(there.streams).collect()
            }
        };
        kinds.sort();
        kinds.dedup();
        kinds.sort_by_key(family::generation);
        Ok(kinds)
    }

    /// How far a kind has moved.
    pub fn phase(&self, kind: &Kind) -> Phase {
        self.dual.as_ref().map_or(Phase::Memory, |dual| dual.shared.control().phase(kind))
    }

    /// What has to hold before a kind goes to a phase, and whether it does.
    pub async fn check(&self, kind: &Kind, to: Phase, explicit: bool) -> Result<Vec<Check>> {
        Ok(self.shared()?.check(kind, to, &self.options.thresholds, explicit).await)
    }

    /// Moves a kind forwards, step by step, doing what each step needs: filling the database,
    /// comparing, rehearsing the way back. Writes are never refused for it.
    ///
    /// Errors: `Conflict` if something that has to hold does not; `Unavailable` if the database is
    /// away. What was reached stays, and the same call goes on from there.
    pub async fn advance(
        &self,
        kind: &Kind,
        to: Phase,
        explicit: bool,
        mut told: impl FnMut(Step<'_>) + Send,
    ) -> Result<Vec<Moved>> {
        let shared = self.shared()?;
        let mut moves = Vec::new();
        loop {
            let from = shared.control().phase(kind);
            if from >= Phase::Mirror && to >= Phase::Mirror {
                self.fill(shared, kind, &mut told).await?;
            }
            let Some(next) = from.next().filter(|next| *next <= to) else { return Ok(moves) };
            self.prepare(shared, kind, from, next, &mut told).await?;
            let step = shared.go(kind, next, &self.options.thresholds, explicit).await?;
            told(Step::Moved(&step));
            moves.push(step);
        }
    }

    async fn prepare(
        &self,
        shared: &Arc<Shared>,
        kind: &Kind,
        from: Phase,
        next: Phase,
        told: &mut (impl FnMut(Step<'_>) + Send),
    ) -> Result<()> {
        match (from, next) {
            (Phase::Mirror, Phase::Shadow) => {
                let behind = self.options.thresholds.behind;
                while shared.control().behind(Some(kind)) > behind {
                    let is_up = *shared.control().link() == Link::Up;
                    if !is_up || shared.ship_some().await == Some(false) {
                        return Err(shared.why_stuck(kind));
                    }
                }
            }
            (Phase::Shadow, Phase::Joint) => {
                self.prove(shared, kind, told).await?;
                if !shared.facts(kind, false).await.rehearsed {
                    let rehearsed = shared.rehearse(kind).await?;
                    told(Step::Rehearsed(kind, &rehearsed));
                }
            }
            (Phase::Joint, Phase::Live) => self.prove(shared, kind, told).await?,
            _ => {}
        }
        Ok(())
    }

    /// Ships what memory had when mirroring began, unless that is done.
    async fn fill(
        &self,
        shared: &Arc<Shared>,
        kind: &Kind,
        told: &mut (impl FnMut(Step<'_>) + Send),
    ) -> Result<()> {
        if !shared.facts(kind, false).await.backfilled {
            let total = shared.near_total(kind).await?;
            shared.backfill(kind, |done| told(Step::Backfill(kind, done, total))).await?;
        }
        Ok(())
    }

    async fn prove(
        &self,
        shared: &Arc<Shared>,
        kind: &Kind,
        told: &mut (impl FnMut(Step<'_>) + Send),
    ) -> Result<()> {
        let fresh = self.options.thresholds.fresh;
        if shared.facts(kind, false).await.clean_age.is_some_and(|age| age <= fresh) {
            return Ok(());
        }
        let compared = shared.diff(kind, false).await?;
        told(Step::Compared(kind, &compared));
        if compared.clean {
            return Ok(());
        }
        let first = compared.mismatches.first().map_or_else(String::new, |mismatch| {
            let super::diff::Mismatch { key, class, memory, database } = mismatch;
            format!("; first {key}: {class}, memory has {memory}, the database has {database}")
        });
        Err(Error::new(
            ErrorKind::Diverged,
            format!(
                "{kind} is not the same in both stores ({} differ, {} could not be judged){first}; \
                 see `outlast migrate state diff --repair`",
                compared.mismatched, compared.deferred
            ),
        ))
    }

    /// Moves a kind back, its children first, step by step. Going back from live to shadow works
    /// also while the database is away; what is written from then on is in memory only until it is
    /// back.
    ///
    /// `explicit` says that leaving the database is meant, with all that becomes unreachable.
    pub async fn rollback(&self, kind: &Kind, to: Phase, explicit: bool) -> Result<Vec<Moved>> {
        let shared = self.shared()?;
        let mut family = vec![kind.clone()];
        let mut at = 0;
        while let Some(parent) = family.get(at).cloned() {
            family.extend(family::children(&parent));
            at += 1;
        }
        family.sort_by_key(|kind| std::cmp::Reverse(family::generation(kind)));
        family.dedup();
        let mut moves = Vec::new();
        for kind in family {
            while shared.control().phase(&kind) > to {
                let from = shared.control().phase(&kind);
                let next = step_back(from, to)?;
                moves.push(shared.go(&kind, next, &self.options.thresholds, explicit).await?);
            }
        }
        Ok(moves)
    }

    /// What is known of a kind and its surroundings, which [`checks`](super::checks()) judges.
    pub async fn facts(&self, kind: &Kind, explicit: bool) -> Result<super::Facts> {
        Ok(self.shared()?.facts(kind, explicit).await)
    }

    /// The database by itself, to be read under the names that callers know: also older versions
    /// and entries, which memory may not have. It stays open when this is closed.
    pub async fn database(&self) -> Result<Arc<dyn Backend>> {
        let shared = self.shared()?;
        let rows = shared.far.lock().await.session.rows.clone();
        Ok(super::resolved::view(shared.far.reader()?, &rows))
    }

    /// Keeps a kind from going forwards, until it is [resumed](Migration::resume).
    pub async fn hold(&self, kind: &Kind, why: &str) -> Result<()> {
        let why = why.to_owned();
        self.shared()?.note(kind, |progress| progress.held = Some(why)).await
    }

    /// Lets a kind go forwards again.
    pub async fn resume(&self, kind: &Kind) -> Result<()> {
        self.shared()?.note(kind, |progress| progress.held = None).await
    }

    /// Compares both stores, whole, while they are used; with `repair` brings into line what
    /// differs.
    pub async fn diff(&self, kind: &Kind, repair: bool) -> Result<Compared> {
        self.shared()?.diff(kind, repair).await
    }

    /// Settles everything, gives the ledger up and closes both stores.
    pub async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}

/// What an advance does, as it does it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// So many entities and streams of a kind were shipped, of so many.
    Backfill(&'a Kind, u64, u64),
    /// Both stores were compared.
    Compared(&'a Kind, &'a Compared),
    /// The way there and back was tried with something that nobody needs.
    Rehearsed(&'a Kind, &'a super::Rehearsed),
    /// A step was made.
    Moved(&'a Moved),
}

/// The next step on the way back.
fn step_back(from: Phase, to: Phase) -> Result<Phase> {
    match from {
        Phase::Live | Phase::Joint => Ok(Phase::Shadow),
        Phase::Shadow if to == Phase::Memory => Ok(Phase::Memory),
        Phase::Shadow => Ok(Phase::Mirror),
        Phase::Mirror => Ok(Phase::Memory),
        Phase::Final | Phase::Memory => Err(Error::new(
            ErrorKind::Conflict,
            format!("there is no way back from {from}; move the data with `outlast copy`"),
        )),
    }
}

/// With everything switched off, what lies in a database would not be served.
fn refuse_beyond_memory(marks: &Marks, sentinel: &Sentinel) -> Result<()> {
    if marks.kinds.is_empty() {
        return Ok(());
    }
    metrics::counter!(crate::telemetry::MIGRATION_LEDGER_CONFLICTS).increment(1);
    let beyond: Vec<String> = marks
        .kinds
        .iter()
        .map(|(kind, mark)| format!("{kind} ({} in {})", mark.phase, mark.location))
        .collect();
    Err(Error::new(
        ErrorKind::Conflict,
        format!(
            "persistence is switched off, but these are beyond memory: {}; starting would serve an \
             empty memory instead. Switch it on again; or leave the database for good with \
             `outlast migrate state rollback --to memory --drop-durability --export FILE`; or, if \
             what is there may be forgotten, with `--discard`. ({} says so)",
            beyond.join(", "),
            sentinel.path().display()
        ),
    ))
}

/// The file and the ledger must speak of the same database.
fn check_marks(marks: &Marks, rows: &Rows, far: &Far) -> Result<()> {
    for (kind, mark) in &marks.kinds {
        let is_same = mark.store == far.info().store;
        if (rows.contains_key(kind) && is_same) || mark.phase <= Phase::Mirror {
            continue;
        }
        metrics::counter!(crate::telemetry::MIGRATION_LEDGER_CONFLICTS).increment(1);
        return Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "{kind} was {} in {} (store {}), and {} is another store (or knows nothing of it): \
                 name the right database; or, if this one was put in its place on purpose, remove \
                 the file that says so, migration.json in the state directory",
                mark.phase,
                mark.location,
                mark.store,
                far.location()
            ),
        ));
    }
    Ok(())
}
