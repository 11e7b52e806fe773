//! Carrying out what an operator orders.

use outlast::migration::{Compared, Migration, Moved, Phase, Rehearsed};
use outlast::{Error, ErrorKind, Kind, Result};
use serde::Serialize;
use serde_json::{Value, json};

use super::message::{Order, Quarantine, Told};
use super::{plan, rollback};

/// Whom to tell how far it has come.
pub(crate) type Listener<'a> = &'a mut (dyn FnMut(Told) + Send);

/// Does what is ordered, and says what came of it.
///
/// Errors are those of the migration; `NotFound` for a kind there is nothing of.
pub(crate) async fn carry_out(
    migration: &Migration,
    order: &Order,
    told: Listener<'_>,
) -> Result<Value> {
    match order {
        Order::Status => value(&migration.status().await?),
        Order::Plan { kind } => plan::plan(migration, kind.as_ref()).await,
        Order::Check { kind, to, last } => plan::check(migration, kind.as_ref(), *to, *last).await,
        Order::Advance { kind, to, last } => {
            advance(migration, kind.as_ref(), *to, *last, told).await
        }
        Order::Rollback { kind, to, drop } => {
            rollback::rollback(migration, kind.as_ref(), *to, drop.as_ref(), told).await
        }
        Order::Hold { kind, reason } => {
            known(migration, kind).await?;
            migration.hold(kind, reason).await?;
            finish(migration, std::slice::from_ref(kind), json!({"kind": kind, "held": reason}))
                .await
        }
        Order::Resume { kind } => {
            known(migration, kind).await?;
            migration.resume(kind).await?;
            finish(migration, std::slice::from_ref(kind), json!({"kind": kind, "held": null})).await
        }
        Order::Diff { kind, repair } => diff(migration, kind.as_ref(), *repair).await,
        Order::Quarantine(what) => quarantine(migration, what).await,
        Order::Rehearse { kind } => rehearse(migration, kind.as_ref(), told).await,
        Order::Doctor => value(&json!({"findings": migration.doctor().await?})),
    }
}

pub(super) fn value(of: &impl Serialize) -> Result<Value> {
    serde_json::to_value(of)
        .map_err(|cause| Error::internal("an answer that is no JSON").with_source(cause))
}

/// The one that is named, or all of them, parents first.
pub(super) async fn chosen(migration: &Migration, kind: Option<&Kind>) -> Result<Vec<Kind>> {
    match kind {
        Some(kind) => known(migration, kind).await.map(|()| vec![kind.clone()]),
        None => migration.kinds().await,
    }
}

/// `NotFound` for a kind there is nothing of: most likely it is misspelt.
async fn known(migration: &Migration, kind: &Kind) -> Result<()> {
    let kinds = migration.kinds().await?;
    if kinds.contains(kind) {
        return Ok(());
    }
    let names: Vec<_> = kinds.iter().map(Kind::as_str).collect();
    let there = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
    let message = format!("there is nothing of kind {kind} to move; there are {there}");
    Err(Error::new(ErrorKind::NotFound, message))
}

/// Adds what to do next about these kinds.
pub(super) async fn finish(
    migration: &Migration,
    kinds: &[Kind],
    mut result: Value,
) -> Result<Value> {
    let status = migration.status().await?;
    let next: Vec<_> = status
        .kinds
        .iter()
        .filter(|status| kinds.contains(&status.kind))
        .map(|status| json!({"kind": status.kind, "phase": status.phase, "next": status.next}))
        .collect();
    if let Some(fields) = result.as_object_mut() {
        fields.insert("kinds".to_owned(), Value::Array(next));
    }
    Ok(result)
}

async fn advance(
    migration: &Migration,
    kind: Option<&Kind>,
    to: Phase,
    last: bool,
    told: Listener<'_>,
) -> Result<Value> {
    let kinds = chosen(migration, kind).await?;
    let mut moves: Vec<Moved> = Vec::new();
    // All of them reach a phase before one goes beyond it, or a parent could not be final before
    // its children are live.
    for phase in Phase::ALL.into_iter().filter(|phase| *phase <= to) {
        let turn: Vec<Kind> = match phase {
            Phase::Final => kinds.iter().rev().cloned().collect(),
            _ => kinds.clone(),
        };
        for kind in turn {
            if migration.phase(&kind) < phase {
                let listener = |step: outlast::migration::Step<'_>| {
                    Told::of(&step).into_iter().for_each(&mut *told);
                };
                moves.extend(migration.advance(&kind, phase, last, listener).await?);
            }
        }
    }
    finish(migration, &kinds, json!({"moves": moves})).await
}

#[derive(Serialize)]
struct OfKind<'a, T> {
    kind: &'a Kind,
    #[serde(flatten)]
    content: &'a T,
}

async fn diff(migration: &Migration, kind: Option<&Kind>, repair: bool) -> Result<Value> {
    let kinds = chosen(migration, kind).await?;
    let mut compared = Vec::new();
    for each in &kinds {
        // One that is in memory only has nothing to be compared with; asked for by name it says so.
        if kind.is_some() || migration.phase(each) > Phase::Memory {
            let found: Compared = migration.diff(each, repair).await?;
            compared.push(value(&OfKind { kind: each, content: &found })?);
        }
    }
    finish(migration, &kinds, json!({"compared": compared})).await
}

async fn rehearse(migration: &Migration, kind: Option<&Kind>, told: Listener<'_>) -> Result<Value> {
    let kinds = chosen(migration, kind).await?;
    let mut rehearsed = Vec::new();
    for each in &kinds {
        if kind.is_some() || migration.phase(each) > Phase::Memory {
            let found: Rehearsed = migration.rehearse(each).await?;
            let Rehearsed { live_us, back_us } = found;
            told(Told::Rehearsed { kind: each.clone(), live_us, back_us });
            rehearsed.push(value(&OfKind { kind: each, content: &found })?);
        }
    }
    finish(migration, &kinds, json!({"rehearsed": rehearsed})).await
}

async fn quarantine(migration: &Migration, what: &Quarantine) -> Result<Value> {
    let (kind, lineage, released) = match what {
        Quarantine::List => {
            return value(&json!({"quarantined": migration.quarantined().await?}));
        }
        Quarantine::Adopt { kind, lineage } => {
            (kind, lineage, migration.adopt_quarantined(kind, *lineage).await?)
        }
        Quarantine::Purge { kind, lineage } => {
            (kind, lineage, migration.purge_quarantined(kind, *lineage).await?)
        }
    };
    let content = json!({
        "kind": kind,
        "lineage": lineage,
        "done": released.done,
        "kept": released.kept,
    });
    finish(migration, std::slice::from_ref(kind), content).await
}
