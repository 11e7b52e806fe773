//! Where every kind stands, what that means, and what comes next.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use outlast_core::{Durability, Kind, Result, Timestamp};
use serde::Serialize;

use super::checks::Check;
use super::control::Link;
use super::dual::Shared;
use super::migration::Migration;
use super::progress::Moved;
use super::shadow::ShadowReads;
use super::{Phase, Policy};

/// Where every kind stands.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Where the database is; `None` if there is none.
    pub database: Option<String>,
    /// Whether it answers; if not, why.
    pub away: Option<String>,
    /// Since when it has been away.
    pub away_since: Option<Timestamp>,
    /// Acknowledged changes that are in memory only, although their kind is mirrored or more.
    pub behind: u64,
    /// Commits that were acknowledged as volatile since the start because the database was away.
    pub volatile_acks: u64,
    /// Versions and entries that never reached the database, and memory has no more.
    pub gaps: u64,
    /// What was shipped since the start.
    pub shipped: u64,
    /// Writes that were refused because another process took a kind over.
    pub fenced_writes: u64,
    /// Each kind.
    pub kinds: Vec<KindStatus>,
}

/// Where one kind stands.
#[derive(Clone, Debug, Serialize)]
pub struct KindStatus {
    /// The kind.
    pub kind: Kind,
    /// How far it has moved.
    pub phase: Phase,
    /// Where flags wish it to be.
    pub desired: Phase,
    /// The fence.
    pub epoch: u64,
    /// Under which lineage the database keeps it.
    pub lineage: u16,
    /// Which store is true: `memory`, `database` or `both`.
    pub truth: &'static str,
    /// Since when.
    pub since: Option<Timestamp>,
    /// What an acknowledgement survives at this moment.
    pub durability: Durability,
    /// What becomes of changes in shadow while the database is away.
    pub policy: Policy,
    /// How much is behind.
    pub behind: u64,
    /// Whether all that memory had was shipped.
    pub backfilled: bool,
    /// How long ago it was compared whole and clean, in this epoch, in seconds.
    pub clean_age_s: Option<u64>,
    /// Reads that were made again from the database.
    pub shadow_reads: ShadowReads,
    /// Whether it can go back at once.
    pub rollback_ready: bool,
    /// Why it is held.
    pub held: Option<String>,
    /// Another process took it over.
    pub fenced: bool,
    /// Something of it is in doubt.
    pub in_doubt: bool,
    /// Entities and streams that cannot be shipped, and why.
    pub stuck: Vec<String>,
    /// The last moves.
    pub moves: Vec<Moved>,
    /// What to do next.
    pub next: String,
}

impl Migration {
    /// Where every kind stands. Reads nothing from the database.
    pub async fn status(&self) -> Result<Status> {
        let kinds = self.kinds().await?;
        let Ok(shared) = self.shared() else {
            let kinds = kinds.into_iter().map(|kind| in_memory(kind, self)).collect();
            return Ok(Status {
                database: None,
                away: None,
                away_since: None,
                behind: 0,
                volatile_acks: 0,
                gaps: 0,
                shipped: 0,
                fenced_writes: 0,
                kinds,
            });
        };
        let mut all = Vec::with_capacity(kinds.len());
        for kind in kinds {
            all.push(self.kind_status(shared, kind).await);
        }
        let away = match shared.control().link() {
            Link::Up => None,
            Link::Down(_, why) => Some(why.clone()),
        };
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Status {
            database: Some(shared.far.location()),
            away,
            away_since: *shared.away_since.lock().unwrap_or_else(PoisonError::into_inner),
            behind: shared.control().behind(None) as u64,
            volatile_acks: count(&shared.tally.volatile_acks),
            gaps: count(&shared.tally.gaps),
            shipped: count(&shared.tally.shipped_rows),
            fenced_writes: count(&shared.tally.fenced_writes),
            kinds: all,
        })
    }

    async fn kind_status(&self, shared: &Shared, kind: Kind) -> KindStatus {
        let facts = shared.facts(&kind, false).await;
        let progress = shared.progress(&kind);
        let desired = self.desired(&kind);
        let row = {
            let writer = shared.far.lock().await;
            writer.session.rows.get(&kind).map(|(row, _)| row.clone())
        };
        let phase = facts.phase;
        let checks = match phase.next() {
            Some(next) => shared.check(&kind, next, &self.options.thresholds, false).await,
            None => Vec::new(),
        };
        let stuck = {
            let stuck = shared.stuck.lock().unwrap_or_else(PoisonError::into_inner);
            let of = stuck.iter().filter(|(key, _)| key.kind == kind);
            of.map(|(key, why)| format!("{key}: {why}")).collect()
        };
        let control = shared.control();
        let course = control.course(&kind).cloned().unwrap_or_else(super::control::Course::memory);
        let is_up = facts.link_up || phase > Phase::Shadow || course.policy == Policy::Strict;
        let is_durable = phase.is_durable() && is_up;
        KindStatus {
            next: next_step(&kind, phase, desired, &facts, &checks),
            phase,
            desired,
            epoch: course.epoch,
            lineage: course.lineage,
            truth: match phase {
                Phase::Joint => "both",
                Phase::Live | Phase::Final => "database",
                _ => "memory",
            },
            since: row.map(|row| row.since),
            durability: if is_durable { Durability::Durable } else { Durability::Volatile },
            policy: course.policy,
            behind: facts.behind as u64,
            backfilled: facts.backfilled,
            clean_age_s: facts.clean_age.map(|age| age.as_secs()),
            shadow_reads: shared.sampler.of(&kind),
            rollback_ready: matches!(phase, Phase::Shadow | Phase::Joint | Phase::Live)
                && !facts.fenced,
            held: progress.held,
            fenced: facts.fenced,
            in_doubt: facts.in_doubt,
            stuck,
            moves: progress.moves,
            kind,
        }
    }

    /// Where flags wish a kind to be.
    pub fn desired(&self, kind: &Kind) -> Phase {
        let options = &self.options;
        if options.standby && !options.flags.want_any() {
            // Nothing is wished for: where it is, is where the operator wants it.
            return self.phase(kind).min(Phase::Live);
        }
        let wanted = self.options.enable_persistence && self.options.flags.wants(kind);
        if wanted { Phase::Live } else { Phase::Memory }
    }
}

fn in_memory(kind: Kind, migration: &Migration) -> KindStatus {
    KindStatus {
        phase: Phase::Memory,
        desired: migration.desired(&kind),
        epoch: 0,
        lineage: 0,
        truth: "memory",
        since: None,
        durability: Durability::Volatile,
        policy: Policy::default(),
        behind: 0,
        backfilled: false,
        clean_age_s: None,
        shadow_reads: ShadowReads::default(),
        rollback_ready: false,
        held: None,
        fenced: false,
        in_doubt: false,
        stuck: Vec::new(),
        moves: Vec::new(),
        next: "name a database (--migrate-to) to be able to move".to_owned(),
        kind,
    }
}

fn next_step(
    kind: &Kind,
    phase: Phase,
    desired: Phase,
    facts: &super::checks::Facts,
    checks: &[Check],
) -> String {
    if facts.fenced {
        return "stop this process: another one took the kind over".to_owned();
    }
    if !facts.link_up {
        return "bring the database back; nothing has to be done here".to_owned();
    }
    if facts.held {
        return format!("outlast migrate state resume {kind}");
    }
    match phase {
        Phase::Final => "nothing".to_owned(),
        Phase::Live if desired == Phase::Memory => {
            format!("flags wish for memory: outlast migrate state rollback {kind} --to shadow")
        }
        Phase::Live => {
            let baked = checks.iter().all(|check| check.holds || check.name == "asked for");
            if baked {
                format!("nothing; or, for good: outlast migrate state advance {kind} --final")
            } else {
                "nothing; let it bake".to_owned()
            }
        }
        _ => format!("outlast migrate state advance {kind}"),
    }
}
