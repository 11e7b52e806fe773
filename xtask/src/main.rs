//! The chores of this workspace: `cargo xtask --help`.
//!
//! Every command ends with 0 when everything held, 1 when something did not, and 2 when it was
//! asked for wrongly. With `--json` the report is one line of JSON per item on standard output,
//! and everything else goes to standard error.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod ci;
mod conformance;
mod demo;
mod features;
mod migrate;
mod report;
mod soak;
mod tally;
mod tidy;
mod tour;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a chore can fail with: one line that says what to do next.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The chores of this workspace", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything a change has to pass
    Ci(ci::Args),
    /// Check the layout: who depends on whom, names, lengths, cited tests
    Tidy(tidy::Args),
    /// Check that every crate builds with each of its features alone
    Features(features::Args),
    /// Run the cases that every backend has to keep
    Conformance(conformance::Args),
    /// Write and check the migrations of SQLite stores
    Migrate(migrate::Args),
    /// Run real tasks, kill the program, and find everything again
    Tour(tour::Args),
    /// Move the state of a program under load to SQLite and back, and find everything again
    Demo(demo::Args),
    /// Run the random tests for longer
    Soak(soak::Args),
    /// Run the benches
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Ci(args) => ci::run(&args),
        Command::Tidy(args) => tidy::run(&args),
        Command::Features(args) => features::run(&args),
        Command::Conformance(args) => conformance::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Tour(args) => tour::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
