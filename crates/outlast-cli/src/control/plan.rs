//! What an advance would do, and what has to hold for it.

use std::time::Duration;

use outlast::migration::{Check, Facts, Migration, Phase, Thresholds, checks};
use outlast::{Kind, Result};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{chosen, value};

#[derive(Serialize)]
struct Planned {
    kind: Kind,
    phase: Phase,
    steps: Vec<Step>,
    ready: bool,
    next: String,
}

#[derive(Serialize)]
struct Step {
    from: Phase,
    to: Phase,
    work: &'static str,
    checks: Vec<Seen>,
}

/// A check, and whether the advance itself sees to it.
#[derive(Serialize)]
struct Seen {
    #[serde(flatten)]
    check: Check,
    seen_to: bool,
}

/// What an advance to live would do to each kind, without doing it.
pub(super) async fn plan(migration: &Migration, kind: Option<&Kind>) -> Result<Value> {
    let alone = kind.is_some();
    let mut plans = Vec::new();
    for kind in chosen(migration, kind).await? {
        let facts = migration.facts(&kind, false).await?;
        plans.push(planned(kind, &facts, alone));
    }
    value(&json!({"plans": plans}))
}

fn planned(kind: Kind, facts: &Facts, alone: bool) -> Planned {
    let mut steps = Vec::new();
    let mut from = facts.phase;
    while let Some(to) = from.next().filter(|to| *to <= Phase::Live) {
        steps.push(step(facts, from, to, alone));
        from = to;
    }
    let all = || steps.iter().flat_map(|step| &step.checks);
    let ready = all().all(|seen| seen.check.holds || seen.seen_to);
    let next = match all().find(|seen| !seen.check.holds && !seen.seen_to) {
        _ if steps.is_empty() => "nothing".to_owned(),
        Some(Seen { check, .. }) => {
            format!("{} is {}, and has to be {}", check.name, check.value, check.threshold)
        }
        None => format!("outlast migrate state advance {kind}"),
    };
    Planned { kind, phase: facts.phase, steps, ready, next }
}

fn step(facts: &Facts, from: Phase, to: Phase, alone: bool) -> Step {
    // As it will be there: with parents that went first, if they are to go too.
    let parents = if alone { facts.parents } else { facts.parents.max(to) };
    let is_there = from == facts.phase;
    let then = Facts {
        phase: from,
        parents,
        clean_age: if is_there { facts.clean_age } else { None },
        shadow_reads: if is_there { facts.shadow_reads } else { (0, 0) },
        since: if is_there { facts.since } else { Duration::ZERO },
        ..facts.clone()
    };
    let work = match (from, to) {
        (Phase::Memory, Phase::Mirror) => "changes follow to the database from then on",
        (Phase::Mirror, Phase::Shadow) => "fills the database with what memory has",
        (Phase::Shadow, Phase::Joint) => "compares both stores whole and rehearses the way back",
        _ => "compares both stores whole; then the database counts",
    };
    let checks = checks(&then, to, &Thresholds::default()).into_iter().map(|check| {
        let seen_to = ["backfill", "behind", "clean comparison", "rehearsed"].contains(&check.name);
        Seen { check, seen_to }
    });
    Step { from, to, work, checks: checks.collect() }
}

/// What has to hold before the next step of each kind, or one that is named.
pub(super) async fn check(
    migration: &Migration,
    kind: Option<&Kind>,
    to: Option<Phase>,
    last: bool,
) -> Result<Value> {
    let mut checked = Vec::new();
    let most = if last { Phase::Final } else { Phase::Live };
    for kind in chosen(migration, kind).await? {
        let phase = migration.phase(&kind);
        let Some(to) = to.or_else(|| phase.next().filter(|next| *next <= most)) else { continue };
        let checks = migration.check(&kind, to, last).await?;
        let holds = checks.iter().all(|check| check.holds);
        let next = if holds {
            format!(
                "outlast migrate state {} {kind}",
                if to > phase { "advance" } else { "rollback" }
            )
        } else {
            "an advance sees to a backfill, a comparison and a rehearsal itself; the rest has to \
             be seen to first"
                .to_owned()
        };
        checked.push(json!({
            "kind": kind,
            "phase": phase,
            "to": to,
            "checks": checks,
            "holds": holds,
            "next": next,
        }));
    }
    value(&json!({"checked": checked}))
}
