//! `bench compare`: Outlast beside what one writes by hand, in one interleaved run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;

use super::goals::{Better, Goal, Sizes, Source, all};
use super::runs::{Run, Runs};
use crate::Result;
use crate::report::print_json;
use crate::workspace::{Workspace, cargo, root, succeeds};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Smaller sizes and fewer rounds, against the same goals
    #[arg(long)]
    quick: bool,
    /// One line of JSON per goal
    #[arg(long)]
    json: bool,
    /// Only goals whose id begins with this, as in `B2`
    #[arg(long)]
    only: Option<String>,
    /// How many rounds; the median counts
    #[arg(long)]
    rounds: Option<usize>,
    /// Where to work: a folder on the disk in question
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// One line of the result.
#[derive(Debug, Serialize)]
struct Row {
    id: &'static str,
    what: &'static str,
    ours: Option<f64>,
    theirs: Option<f64>,
    ratio: Option<f64>,
    goal: f64,
    /// Whether the ratio should be `higher` or `lower` than the goal.
    better: &'static str,
    holds: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

/// Whether everything was measured that can be. What does not hold is a row, not a failure.
pub(super) fn run(args: &Args) -> Result<bool> {
    let program = build(args.json)?;
    let sizes = if args.quick { Sizes::QUICK } else { Sizes::FULL };
    let rounds = args.rounds.unwrap_or(if args.quick { 3 } else { 5 });
    let only = args.only.as_deref().unwrap_or("");
    let goals: Vec<Goal> =
        all(sizes).into_iter().filter(|goal| goal.id.starts_with(only)).collect();
    if goals.is_empty() {
        return Err(format!("no goal begins with {only:?}; they are called B1a to B12").into());
    }
    let needed: BTreeSet<Run> = goals.iter().flat_map(|goal| runs_of(&goal.source)).collect();
    let needed: Vec<Run> = needed.into_iter().collect();
    let mut runs = Runs { program, dir: args.dir.clone(), measured: BTreeMap::new() };
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        runs.round(&needed)?;
    }
    for goal in goals {
        let row = row(&goal, &runs);
        if args.json {
            print_json(&row)?;
        } else {
            println!("{}", line(&row));
        }
    }
    Ok(true)
}

/// The programs live in a workspace of their own, and are built into a folder of their own.
fn build(quietly: bool) -> Result<PathBuf> {
    let folder = root().join("benches/compare/sqlite");
    let target = Workspace::read()?.target.join("compare");
    let mut command = cargo(&["build", "--release", "--locked", "--manifest-path"]);
    command.arg(folder.join("Cargo.toml")).arg("--target-dir").arg(&target);
    if !succeeds(&mut command, quietly)? {
        return Err(
            "the programs to compare with do not build; what cargo said stands above".into()
        );
    }
    Ok(target.join("release/compare-sqlite"))
}

fn runs_of(source: &Source) -> Vec<Run> {
    match source {
        Source::Ratio { ours, theirs } => vec![ours.0, theirs.0],
        Source::Alone { ours } => vec![ours.0],
        Source::NotYet(_) => Vec::new(),
    }
}

fn row(goal: &Goal, runs: &Runs) -> Row {
    let (ours, theirs, ratio, why) = match &goal.source {
        Source::Ratio { ours, theirs } => {
            let (ours, theirs) = (runs.median(&ours.0, ours.1), runs.median(&theirs.0, theirs.1));
            (ours, theirs, ours.zip(theirs).map(|(ours, theirs)| ours / theirs), None)
        }
        Source::Alone { ours } => {
            let ours = runs.median(&ours.0, ours.1);
            (ours, None, ours, None)
        }
        Source::NotYet(why) => (None, None, None, Some(*why)),
    };
    let holds = ratio.map(|ratio| match goal.better {
        Better::Higher => ratio >= goal.bound,
        Better::Lower => ratio <= goal.bound,
    });
    let better = match goal.better {
        Better::Higher => "higher",
        Better::Lower => "lower",
    };
    let (id, what, goal) = (goal.id, goal.what, goal.bound);
    Row { id, what, ours, theirs, ratio, goal, better, holds, why }
}

fn line(row: &Row) -> String {
    let Row { id, what, ratio, goal, better, holds, why, .. } = row;
    let bound = if *better == "higher" { "at least" } else { "at most" };
    match (ratio, holds, why) {
        (Some(ratio), Some(true), _) => {
            format!("{id:<5} {ratio:>8.2}  {bound} {goal}: holds   {what}")
        }
        (Some(ratio), Some(false), _) => {
            format!("{id:<5} {ratio:>8.2}  {bound} {goal}: MISSED  {what}")
        }
        (_, _, Some(why)) => {
            format!("{id:<5}        -  {bound} {goal}: not measured, {why}  ({what})")
        }
        _ => format!("{id:<5}        -  {bound} {goal}: not measured on this system  ({what})"),
    }
}
