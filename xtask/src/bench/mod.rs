//! `bench`: runs the benches and prints what they measure, or compares with the same work done by
//! hand.

mod compare;
mod goals;
mod migration;
mod runs;

use clap::Subcommand;

use crate::Result;
use crate::workspace::{cargo, succeeds};

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Measure briefly: enough to see that the benches run, not to compare
    #[arg(long)]
    quick: bool,
    /// Only benches with this in their name, as in `transition/sqlite`
    name: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Do the same work by Outlast and by hand, in turns, and print one row per goal
    Compare(compare::Args),
    /// Measure the phases of a move to a database, the moves, and an outage
    Migration(migration::Args),
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    match &args.command {
        Some(Command::Compare(args)) => return compare::run(args),
        Some(Command::Migration(args)) => return migration::run(args),
        None => {}
    }
    let mut command = cargo(&["bench", "--package", "outlast-benches", "--locked", "--"]);
    if args.quick {
        command.args(["--warm-up-time", "0.5", "--measurement-time", "1", "--sample-size", "10"]);
    }
    command.args(&args.name);
    succeeds(&mut command, false)
}
