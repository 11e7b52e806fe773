//! `bench migration`: what it costs to be able to move from memory to a database, and to move.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::report::print_json;
use crate::workspace::{Workspace, cargo, succeeds};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Smaller sizes, against the same goals
    #[arg(long)]
    quick: bool,
    /// One line of JSON per figure
    #[arg(long)]
    json: bool,
    /// Only the figures with this id, as in `M4`
    #[arg(long)]
    only: Option<String>,
    /// Where to work: a folder on the disk in question
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// One line of the result.
#[derive(Debug, Deserialize, Serialize)]
struct Row {
    id: String,
    what: String,
    value: Option<f64>,
    goal: Option<f64>,
    holds: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Whether everything was measured. What does not hold is a row, not a failure.
pub(super) fn run(args: &Args) -> Result<bool> {
    let package = ["--package", "outlast-benches", "--bin", "bench-migration"];
    let mut build = cargo(&["build", "--release", "--locked"]);
    if !succeeds(build.args(package), args.json)? {
        return Err("the bench does not build; what cargo said stands above".into());
    }
    let program = Workspace::read()?.target.join("release/bench-migration");
    let mut command = Command::new(program);
    command.args(args.quick.then_some("--quick")).args(&args.only);
    if let Some(dir) = &args.dir {
        command.env("OUTLAST_BENCH_DIR", dir);
    }
    let mut running = command.stdout(Stdio::piped()).spawn()?;
    let output = running.stdout.take().ok_or("the bench has no output")?;
    for line in BufReader::new(output).lines() {
        let row: Row = serde_json::from_str(&line?)?;
        if args.json {
            print_json(&row)?;
        } else {
            println!("{}", text(&row));
        }
    }
    Ok(running.wait()?.success())
}

fn text(row: &Row) -> String {
    let Row { id, what, value, goal, holds, note } = row;
    let value = value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let verdict = match (goal, holds) {
        (Some(goal), Some(true)) => format!("at most {goal}: holds"),
        (Some(goal), Some(false)) => format!("at most {goal}: MISSED"),
        _ => String::new(),
    };
    let note = note.as_ref().map_or_else(String::new, |note| format!("  ({note})"));
    format!("{id}  {value:>12}  {verdict:<22}  {what}{note}")
}
