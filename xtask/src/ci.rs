//! `ci`: everything a change has to pass, in the order that tells soonest what is wrong.
//!
//! Every step runs, also after one failed, so that one run shows everything there is to mend.

use std::env;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use outlast_core::{Clock, SystemClock};

use crate::Result;
use crate::report::{Part, Verdict, print_json};
use crate::tally::{self, Tally};
use crate::workspace::{cargo, succeeds};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One line of JSON per step; the output of the steps goes to standard error
    #[arg(long)]
    json: bool,
    /// Only these steps
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    only: Vec<String>,
}

/// How a step is done.
enum Work {
    /// By another command of this program.
    Xtask(&'static [&'static str]),
    Cargo(&'static [&'static str]),
    /// By cargo, with tests to be counted.
    Tests(&'static [&'static str]),
    /// A program that is no part of the toolchain, and how to get it.
    Tool(&'static [&'static str], &'static str),
}

/// Linting comes before the other checks of types, which then find the dependencies checked.
const STEPS: &[(&str, Work)] = &[
    ("format", Work::Cargo(&["fmt", "--all", "--check"])),
    ("tidy", Work::Xtask(&["tidy"])),
    ("migrations", Work::Xtask(&["migrate", "check"])),
    (
        "lint",
        Work::Cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]),
    ),
    ("features", Work::Xtask(&["features"])),
    ("docs", Work::Cargo(&["doc", "--workspace", "--lib", "--no-deps", "--locked"])),
    ("test", Work::Tests(&["test", "--workspace", "--locked", "--no-fail-fast"])),
    (
        "dependencies",
        Work::Tool(
            &["deny", "--locked", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"],
            "cargo install cargo-deny --locked",
        ),
    ),
];

pub(crate) fn run(args: &Args) -> Result<bool> {
    if let Some(unknown) = args.only.iter().find(|name| !STEPS.iter().any(|(step, _)| step == name))
    {
        let all: Vec<_> = STEPS.iter().map(|(name, _)| *name).collect();
        return Err(format!("no step is called {unknown}; there are {}", all.join(", ")).into());
    }
    let clock = SystemClock::default();
    let mut parts = Vec::new();
    for (name, work) in STEPS {
        if !args.only.is_empty() && !args.only.iter().any(|wanted| wanted == name) {
            continue;
        }
        eprintln!("\n=== {name}: {}", work.line());
        let start = clock.monotonic();
        let (verdict, tests) = work.run(args.json).unwrap_or_else(|error| {
            eprintln!("error: {error}");
            (Verdict::Failed, None)
        });
        let took = clock.monotonic().saturating_sub(start);
        let part = Part { tests, ..Part::new(name, verdict, took) };
        if args.json {
            print_json(&part)?;
        }
        parts.push(part);
    }
    if !args.json {
        println!("\n=== all steps");
        for part in &parts {
            println!("{}", part.line());
        }
    }
    Ok(!parts.iter().any(Part::failed))
}

impl Work {
    fn line(&self) -> String {
        match self {
            Self::Xtask(args) => format!("cargo xtask {}", args.join(" ")),
            Self::Cargo(args) | Self::Tests(args) | Self::Tool(args, _) => {
                format!("cargo {}", args.join(" "))
            }
        }
    }

    fn run(&self, json: bool) -> Result<(Verdict, Option<Tally>)> {
        let mut command = self.command()?;
        match self {
            Self::Tool(args, install) if !installed(args) => {
                let reason = format!("not installed; get it with `{install}`");
                Ok((Verdict::NotRun(reason), None))
            }
            Self::Tests(_) => {
                let mut shown: Box<dyn Write> =
                    if json { Box::new(io::stderr()) } else { Box::new(io::stdout()) };
                let (tally, held) = tally::run(&mut command, &mut shown)?;
                Ok((held.into(), Some(tally)))
            }
            _ => Ok((succeeds(&mut command, json)?.into(), None)),
        }
    }

    fn command(&self) -> Result<Command> {
        match self {
            Self::Xtask(args) => {
                let mut command = Command::new(env::current_exe()?);
                command.args(*args);
                Ok(command)
            }
            Self::Cargo(args) | Self::Tests(args) | Self::Tool(args, _) => {
                let mut command = cargo(args);
                // `RUSTFLAGS` would build every dependency anew; this one does not.
                command.env("RUSTDOCFLAGS", "-D warnings");
                Ok(command)
            }
        }
    }
}

/// Whether cargo knows the subcommand that these arguments begin with.
fn installed(args: &[&str]) -> bool {
    let name: Vec<&str> = args.iter().copied().take(1).chain(["--version"]).collect();
    let status = cargo(&name).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
