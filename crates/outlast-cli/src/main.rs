//! The `outlast` program: runs files of tasks, and shows, checks and moves what a store holds.
//!
//! Standard output carries results only, standard error everything else. Printing never panics:
//! a reader that went away ends the program quietly.

// Much of the documentation is the help text too, which is read in a terminal.
#![allow(clippy::doc_markdown)]

mod args;
mod commands;
mod config;
mod context;
mod control;
mod duration;
mod exit;
mod failure;
mod jobs;
mod listing;
mod moment;
mod output;
mod runs;
mod signals;
mod target;
mod text_file;
mod view;

use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::Parser;

use crate::failure::Failure;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(refused) if refused.use_stderr() && env::args_os().any(|arg| arg == "--json") => {
            return Failure::usage(&refused).report(true).into();
        }
        Err(refused) => refused.exit(),
    };
    let json = cli.global.json;
    // A panic is told once, by whoever sees it: sled's are caught and become errors.
    if env::var_os("RUST_BACKTRACE").is_none() {
        panic::set_hook(Box::new(|_| {}));
    }
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| context::run(cli)));
    match outcome.unwrap_or_else(|cause| Err(Failure::defect(&*cause))) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(json).into(),
    }
}
