//! `outlast verify`: reads everything there is and checks it.

use clap::Args;
use outlast::references::{self, References};
use outlast::{Damage, Store, Verification};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Progress};

/// Read everything, check it against its checksums, and check what entities refer to
///
/// Exits with 6 if anything is damaged or refers to what is not there. With --json: {"entities",
/// "versions", "entries", "damaged": how much is, "damages": [{"what", "place", "why"}], at most
/// 1000 of them, "references": {"checked", "dangling": how many do not hold, "examples":
/// [{"from", "why"}], at most 1000 of them}}.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {}

#[derive(Serialize)]
struct View<'a> {
    entities: u64,
    versions: u64,
    entries: u64,
    damaged: u64,
    damages: Vec<DamageView<'a>>,
    references: &'a References,
}

#[derive(Serialize)]
struct DamageView<'a> {
    what: &'a str,
    place: &'a str,
    why: &'a str,
}

impl<'a> DamageView<'a> {
    fn of(damage: &'a Damage) -> Self {
        let Damage { what, place, why, .. } = damage;
        Self { what, place, why }
    }
}

pub(crate) async fn run(_args: &VerifyArgs, store: &Store, context: &mut Context) -> Outcome {
    let progress = Progress::start("verify", context.out.is_json());
    let found = store.verify().await?;
    let references = references::check(store).await?;
    progress.finish(&format!("{} records read", found.versions + found.entries));
    let is_whole = found.damaged == 0 && references.dangling == 0;
    let exit = if is_whole { Exit::Completed } else { Exit::Damaged };
    match show(&mut context.out, &found, &references) {
        // What was found counts, also for somebody who reads only the first lines of it.
        Ok(()) | Err(Failure::Unread) => Ok(exit),
        Err(failure) => Err(failure),
    }
}

fn show(out: &mut Output, found: &Verification, references: &References) -> Result<(), Failure> {
    let Verification { entities, versions, entries, damages, damaged } = found;
    if out.is_json() {
        return out.json(&View {
            entities: *entities,
            versions: *versions,
            entries: *entries,
            damaged: *damaged,
            damages: damages.iter().map(DamageView::of).collect(),
            references,
        });
    }
    for Damage { what, place, why, .. } in damages {
        out.line(&format!("damaged: {what} in {place}: {why}"))?;
    }
    if *damaged > damages.len() as u64 {
        out.line(&format!("and {} more", damaged - damages.len() as u64))?;
    }
    for dangling in &references.examples {
        out.line(&format!("dangling: {dangling}"))?;
    }
    let shown = references.examples.len() as u64;
    if references.dangling > shown {
        out.line(&format!("and {} more", references.dangling - shown))?;
    }
    let checked =
        format!("{entities} entities, {versions} versions and {entries} stream entries were read");
    out.line(&match damaged {
        0 if references.dangling > 0 => format!(
            "{checked}; all are whole, but {} of {} references do not hold",
            references.dangling, references.checked
        ),
        0 => format!("{checked}; all are whole"),
        _ => format!("{checked}; {damaged} are damaged: restore them from a backup or an export"),
    })
}
