//! Kinds that are met for the first time: born where they are wished to be, or adopted where
//! they are found.

use std::collections::{BTreeMap, BTreeSet};

use outlast_core::{ErrorKind, Key, Kind, ProcessIdentity, Result};
use serde::{Deserialize, Serialize};

use super::Phase;
use super::control::{Course, Event};
use super::dual::Shared;
use super::far::{Writer, is_away, is_unknown};
use super::ledger::{self, LEDGER, PROGRESS, Row};
use super::sentinel::{Mark, Sentinel};

/// Which kinds are wished to be in the database.
///
/// ```
/// use outlast_core::Kind;
/// use outlast_orchestrator::migration::Flags;
///
/// let flags = Flags::all(true).with(Kind::new("session")?, false);
/// assert!(flags.wants(&Kind::new("agent")?) && !flags.wants(&Kind::new("session")?));
/// # Ok::<(), outlast_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    others: bool,
    kinds: BTreeMap<Kind, bool>,
}

impl Flags {
    /// The same wish for every kind.
    pub fn all(wanted: bool) -> Self {
        Self { others: wanted, kinds: BTreeMap::new() }
    }

    /// Another wish for one kind.
    pub fn with(mut self, kind: Kind, wanted: bool) -> Self {
        self.kinds.insert(kind, wanted);
        self
    }

    /// Whether a kind is wished to be in the database.
    pub fn wants(&self, kind: &Kind) -> bool {
        self.kinds.get(kind).copied().unwrap_or(self.others)
    }

    /// Whether any kind is.
    pub fn want_any(&self) -> bool {
        self.others || self.kinds.values().any(|wanted| *wanted)
    }

    /// The kinds that are named.
    pub fn named(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.keys()
    }
}

/// What it takes to bring a kind into being.
#[derive(Clone, Debug)]
pub(crate) struct Births {
    pub(crate) flags: Flags,
    pub(crate) policies: super::Policies,
    pub(crate) owner: ProcessIdentity,
    pub(crate) control: Option<String>,
    pub(crate) sentinel: Sentinel,
}

/// Why kinds cannot be written at all.
pub(crate) type Refusals = BTreeMap<Kind, (ErrorKind, String)>;

impl Shared {
    /// Brings the kinds among these into being that were never met, and says which of them cannot
    /// be.
    pub(crate) async fn meet(&self, kinds: BTreeSet<Kind>) -> Refusals {
        let mut refusals = Refusals::new();
        for kind in kinds {
            if let Err(error) = self.meet_one(&kind).await {
                refusals.insert(kind, (error.kind(), error.to_string()));
            }
        }
        refusals
    }

    async fn meet_one(&self, kind: &Kind) -> Result<()> {
        if [LEDGER, PROGRESS].contains(&kind.as_str()) {
            return Err(outlast_core::Error::invalid(format!(
                "{kind} belongs to the migration; choose another name for your kind"
            )));
        }
        // What a lasting near store has already is moved, not born.
        let is_new = !self.is_lasting() || self.is_empty(kind).await?;
        if !self.births.flags.wants(kind) || !is_new {
            // It may have been met meanwhile, and may have moved since.
            let mut control = self.control();
            if control.course(kind).is_none() {
                control.step(Event::Moved(kind.clone(), Course::memory()));
            }
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        if self.control().course(kind).is_some() {
            return Ok(());
        }
        let mut writer = self.far.lock().await;
        self.begin(&mut writer, kind).await
    }

    /// Gives a kind its row: live at once, since memory has nothing of it. What the database has
    /// of it already is adopted.
    pub(crate) async fn begin(&self, writer: &mut Writer<'_>, kind: &Kind) -> Result<()> {
        let far = self.far.reader()?;
        let there = self.far.within(far.kinds()).await?;
        let is_there =
            there.streams.contains(kind) || there.entities.iter().any(|(_, known)| known == kind);
        self.recover_row(writer, kind).await?;
        let is_begun = writer.session.rows.contains_key(kind);
        if is_there && !is_begun && !self.is_empty(kind).await? {
            return Err(outlast_core::Error::new(
                ErrorKind::Conflict,
                format!(
                    "both memory and {} have records of {kind}, and no ledger says which counts: \
                     bring them together with `outlast copy --from URL --to URL`, or set those of \
                     the database aside with `outlast migrate state quarantine adopt|purge {kind}`",
                    self.far.location()
                ),
            ));
        }
        let row = Row {
            phase: Phase::Live,
            epoch: 1,
            lineage: 0,
            owner: Some(self.births.owner.clone()),
            control: self.births.control.clone(),
            since: self.far.clock.now(),
            numbered: self.near.info().epoch.0,
        };
        // Until the ledger says so it is not beyond memory: a start may forget this mark.
        self.mark(kind, Some(Phase::Mirror), None)?;
        let recorded = self.record(writer, kind, row, "begun in the database").await;
        recorded.inspect_err(|error| {
            if is_away(error) || is_unknown(error) {
                self.step(Event::Away(error.kind(), error.to_string()));
            }
        })?;
        self.mark(kind, Some(Phase::Live), None)?;
        if is_there {
            self.hydrate(kind, 0).await?;
        }
        self.step(Event::Moved(
            kind.clone(),
            Course {
                phase: Phase::Live,
                epoch: 1,
                policy: self.births.policies.of(kind),
                backfilled: true,
                whole: !is_there,
                ..Course::memory()
            },
        ));
        Ok(())
    }

    /// Takes a row for ours that we wrote without being told so.
    pub(crate) async fn recover_row(&self, writer: &mut Writer<'_>, kind: &Kind) -> Result<()> {
        if writer.session.rows.contains_key(kind) {
            return Ok(());
        }
        let there = ledger::read(&*self.far.reader()?).await?.remove(kind);
        if let Some((row, version)) = there
            && row.owner.as_ref().is_none_or(|owner| *owner == self.births.owner)
        {
            writer.session.rows.insert(kind.clone(), (row, version));
        }
        Ok(())
    }

    /// Meets the kinds that the database has, no ledger knows, and flags wish to be there.
    pub(crate) async fn find(&self) -> Result<()> {
        let far = self.far.reader()?;
        let there = self.far.within(far.kinds()).await?;
        let all = there.entities.into_iter().map(|(_, kind)| kind).chain(there.streams);
        let kinds: BTreeSet<Kind> = all
            .filter(|kind| ![LEDGER, PROGRESS, super::rehearse::CANARY].contains(&kind.as_str()))
            .filter(|kind| self.births.flags.wants(kind) && self.control().course(kind).is_none())
            .collect();
        for kind in kinds {
            self.meet_one(&kind).await?;
        }
        Ok(())
    }

    /// Writes the row of a kind over the one we wrote before.
    pub(crate) async fn record(
        &self,
        writer: &mut Writer<'_>,
        kind: &Kind,
        row: Row,
        why: &str,
    ) -> Result<()> {
        let over = writer.session.rows.get(kind).map(|(_, version)| *version);
        let batch = ledger::batch(writer.commit_id(), why, vec![row.put(kind, over)?]);
        let receipt = writer.commit(&batch).await?;
        let version = receipt
            .version(&Row::key(kind)?)
            .ok_or_else(|| outlast_core::Error::internal("a row without a version"))?;
        writer.session.rows.insert(kind.clone(), (row, version));
        Ok(())
    }

    /// Says in the sentinel how far a kind has moved; `None` that it is in memory.
    pub(crate) fn mark(
        &self,
        kind: &Kind,
        phase: Option<Phase>,
        volatile_since: Option<outlast_core::Timestamp>,
    ) -> Result<()> {
        let (location, store) = (self.far.location(), self.far.info().store);
        self.births.sentinel.note(kind, |before| {
            // Since when is forgotten only by who knows that nothing is missing any more.
            let since = before.and_then(|mark| mark.volatile_since).or(volatile_since);
            phase.map(|phase| Mark { phase, location, store, volatile_since: since })
        })
    }

    /// Says in the sentinel that of a kind nothing is in memory only any more.
    pub(crate) fn unmark(&self, kind: &Kind) -> Result<()> {
        self.births
            .sentinel
            .note(kind, |before| before.map(|mark| Mark { volatile_since: None, ..mark.clone() }))
    }

    /// Whether memory has nothing of a kind.
    pub(crate) async fn is_empty(&self, kind: &Kind) -> Result<bool> {
        let near = self.near.kinds().await?;
        let entities = near.entities.iter().any(|(_, known)| known == kind);
        Ok(!entities && !near.streams.contains(kind))
    }
}

/// The kinds of names that were never met, and the number of the terms at this moment.
pub(crate) fn unmet<'a>(
    shared: &Shared,
    names: impl Iterator<Item = &'a Key>,
) -> (BTreeSet<Kind>, u64) {
    let control = shared.control();
    let mut unmet = BTreeSet::new();
    for name in names {
        if control.course(&name.kind).is_none() && !unmet.contains(&name.kind) {
            unmet.insert(name.kind.clone());
        }
    }
    (unmet, control.term())
}
