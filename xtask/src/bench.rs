//! `bench`: runs the benches and prints what they measure, nothing else.

use crate::Result;
use crate::workspace::{cargo, succeeds};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure briefly: enough to see that the benches run, not to compare
    #[arg(long)]
    quick: bool,
    /// Only benches with this in their name, as in `transition/sqlite`
    name: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let mut command = cargo(&["bench", "--package", "outlast-benches", "--locked", "--"]);
    if args.quick {
        command.args(["--warm-up-time", "0.5", "--measurement-time", "1", "--sample-size", "10"]);
    }
    command.args(&args.name);
    succeeds(&mut command, false)
}
