//! Starting: the ledger says where each kind stands, and memory is filled from the only copy that
//! survived.

use outlast_core::{Error, ErrorKind, Kind, Op, ProcessIdentity, Result};

use std::sync::PoisonError;

use super::Phase;
use super::control::{Course, Event};
use super::dual::Shared;
use super::far::Writer;
use super::hydrate::Hydration;
use super::ledger::{self, Row, Rows};
use super::rehearse::CANARY;
use crate::process::{Life, life};

/// What a start found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// How many entities memory was filled with, by kind.
    pub hydrated: Vec<(Kind, u64)>,
    /// Kinds of which acknowledged changes may be missing, because they were kept in memory only
    /// while the database was away, and since when.
    pub may_miss: Vec<(Kind, outlast_core::Timestamp)>,
}

/// Operations in one batch.
const OPS: usize = 16;

impl Shared {
    /// Takes the rows of the ledger over and fills memory. `Busy` if another process that may
    /// be alive has them.
    pub(crate) async fn boot(&self, rows: Rows, take_over: bool) -> Result<Started> {
        for (kind, (row, _)) in &rows {
            check_owner(kind, row, &self.births.owner, take_over)?;
        }
        let canary = Kind::new(CANARY)?;
        let was_rehearsing = rows.contains_key(&canary);
        let turn = self.turn.lock().await;
        let mut writer = self.far.lock().await;
        self.own(&mut writer, rows).await?;
        let mut started = Started::default();
        let marks = self.births.sentinel.read()?;
        for kind in self.near_kinds().await? {
            self.step(Event::Moved(kind, Course::memory()));
        }
        let lasting = self.is_lasting();
        let mut told = true;
        if lasting {
            let mirrored = writer.session.rows.iter();
            let mirrored = mirrored.filter(|(_, (row, _))| row.phase >= Phase::Mirror);
            let kinds: Vec<_> =
                mirrored.map(|(kind, (row, _))| (kind.clone(), row.lineage)).collect();
            told = self.catch_up_with(&kinds).await?;
        }
        for (kind, (row, _)) in writer.session.rows.clone() {
            if row.phase >= Phase::Mirror && !lasting {
                let filled = self.hydrate(&kind, row.lineage).await?;
                started.hydrated.push((kind.clone(), filled));
            }
            if let Some(since) = marks.kinds.get(&kind).and_then(|mark| mark.volatile_since) {
                started.may_miss.push((kind.clone(), since));
            }
            let phase = (row.phase > Phase::Memory).then_some(row.phase);
            self.mark(&kind, phase, None)?;
            let mut course = self.course_of(&kind, &row);
            if lasting {
                course.whole = true;
                course.backfilled &= told;
            }
            self.step(Event::Moved(kind.clone(), course));
        }
        let late = std::mem::take(&mut *self.late.lock().unwrap_or_else(PoisonError::into_inner));
        self.control().mark(late);
        // What a rehearsal left that was cut off is nobody's.
        started.hydrated.retain(|(kind, _)| *kind != canary);
        // What the file says and the ledger does not: a move that never came so far.
        for kind in marks.kinds.keys() {
            if !writer.session.rows.contains_key(kind) {
                self.mark(kind, None, None)?;
            }
        }
        for (kind, _) in &started.may_miss {
            tracing::warn!(%kind, "acknowledged changes may be missing");
            self.unmark(kind)?;
        }
        drop((writer, turn));
        if was_rehearsing {
            self.sweep(&canary).await?;
        }
        Ok(started)
    }

    fn course_of(&self, kind: &Kind, row: &Row) -> Course {
        let is_mirrored = row.phase >= Phase::Mirror;
        Course {
            phase: row.phase,
            epoch: row.epoch,
            lineage: row.lineage,
            policy: self.births.policies.of(kind),
            fenced: false,
            owed: false,
            backfilled: is_mirrored,
            whole: !is_mirrored,
        }
    }

    async fn own(&self, writer: &mut Writer<'_>, rows: Rows) -> Result<()> {
        let rows: Vec<_> = rows.into_iter().collect();
        for some in rows.chunks(OPS) {
            let mut ops: Vec<Op> = Vec::new();
            let mut taken = Vec::new();
            for (kind, (row, version)) in some {
                let row = Row {
                    epoch: row.epoch + 1,
                    owner: Some(self.births.owner.clone()),
                    control: self.births.control.clone(),
                    numbered: row.numbered.max(self.near.info().epoch.0),
                    ..row.clone()
                };
                ops.push(row.put(kind, Some(*version))?);
                taken.push((kind.clone(), row));
            }
            let batch = ledger::batch(writer.commit_id(), "taken over at start", ops);
            let receipt = writer.commit(&batch).await?;
            for (kind, row) in taken {
                let version = receipt.version(&Row::key(&kind)?);
                let version = version.ok_or_else(|| Error::internal("a row without a version"))?;
                writer.session.rows.insert(kind, (row, version));
            }
        }
        Ok(())
    }

    pub(crate) async fn hydrate(&self, kind: &Kind, lineage: u16) -> Result<u64> {
        let far = self.far.reader()?;
        let hydration = Hydration {
            near: &*self.near,
            far: &*far,
            clock: &*self.far.clock,
            ids: &*self.far.ids,
        };
        let filled = hydration.fill(kind, lineage).await?;
        self.note_damaged(kind, filled.damaged);
        Ok(filled.entities)
    }

    /// Gives the rows up, so that another process can take them at once.
    pub(crate) async fn give_up(&self) {
        let mut writer = self.far.lock().await;
        for (kind, (row, _)) in writer.session.rows.clone() {
            let row = Row { owner: None, control: None, ..row };
            if let Err(error) = self.record(&mut writer, &kind, row, "given up at the end").await {
                tracing::warn!(%error, %kind, "the ledger still names this process");
                return;
            }
        }
    }
}

/// `Fenced` if a process that may be alive moves any of the kinds, naming it and where it can be
/// talked to: for those who are about to write the database past it.
pub fn check_free(rows: &Rows) -> Result<()> {
    for (kind, (row, _)) in rows {
        let Some(owner) = &row.owner else { continue };
        if life(owner) == Life::Dead {
            continue;
        }
        let pid = owner.pid;
        let how = match &row.control {
            Some(socket) => format!("talk to it through its control socket {socket}, or stop it"),
            None => "stop it".to_owned(),
        };
        return Err(Error::new(
            ErrorKind::Fenced,
            format!("process {pid} moves {kind} and alone may write it: {how}; reading is fine"),
        ));
    }
    Ok(())
}

/// `Busy` if another process that may be alive moves the kind.
pub(crate) fn check_owner(
    kind: &Kind,
    row: &Row,
    me: &ProcessIdentity,
    take_over: bool,
) -> Result<()> {
    let Some(owner) = &row.owner else { return Ok(()) };
    let life = life(owner);
    let is_free = owner == me || life == Life::Dead || (life == Life::Unknown && take_over);
    if is_free {
        return Ok(());
    }
    let pid = owner.pid;
    let what = match &row.control {
        _ if life == Life::Unknown => {
            "cannot be seen from here: stop it there, or take over if it is certainly gone"
                .to_owned()
        }
        Some(socket) => format!("is alive: stop it, or talk to it through {socket} (--control)"),
        None => "is alive: stop it, or talk to it through its control socket".to_owned(),
    };
    Err(Error::busy(format!("process {pid} moves {kind}, and {what}")))
}
