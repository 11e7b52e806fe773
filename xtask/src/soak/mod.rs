//! `soak`: what the promises rest on, for longer than a change can wait for.
//!
//! Three forms: the whole suite again and again (`soak`), each promise by itself with a row that
//! says what became of it (`soak --quick`), and bugs put in on purpose, each of which has to be
//! found (`soak --planted`).

mod planted;
mod promises;
mod rounds;
mod row;

use crate::Result;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many rounds of the whole suite
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// Each promise once, in the form that continuous integration runs
    #[arg(long, conflicts_with_all = ["planted", "rounds"])]
    quick: bool,
    /// With --quick: so many times as much of each
    #[arg(long, default_value_t = 1, requires = "quick")]
    times: u64,
    /// Put in one bug after the other, and see that each is found
    #[arg(long)]
    planted: bool,
    /// One line of JSON per round, promise or bug
    #[arg(long)]
    json: bool,
    /// Only tests with this in their name, as in `kill`; with --quick only this promise, with
    /// --planted only this bug
    name: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let name = args.name.as_deref();
    if args.planted {
        planted::run(name, args.json)
    } else if args.quick {
        promises::run(name, args.times, args.json)
    } else {
        rounds::run(args.rounds, name, args.json)
    }
}
