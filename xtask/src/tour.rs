//! `tour`: real tasks, killed in the middle and resumed, with the program people install.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::Result;
use crate::workspace::{Workspace, cargo, root, succeeds};

/// The tasks, as the top folder names them.
const JOBS: &str = "examples/jobs.toml";

/// The one that is always still at work when the program is killed.
const LONG: &str = "watch-the-build";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Kill the program after so many seconds
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=60))]
    kill_after: u64,
}

/// The program, and the store it is shown with.
struct Tour {
    program: PathBuf,
    database: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let build = ["build", "--quiet", "--locked", "--package", "outlast-cli"];
    if !succeeds(&mut cargo(&build), false)? {
        return Ok(false);
    }
    let target = Workspace::read()?.target;
    let tour = Tour::fresh(&target)?;

    say("Tasks run, and the program is killed in the middle.");
    let mut running = tour.start(&["run", JOBS])?;
    sleep(Duration::from_secs(args.kill_after));
    running.kill()?;
    let status = running.wait()?;
    println!("kill -9 after {} s: {status}", args.kill_after);

    say("What it had written down when it died.");
    tour.show(&["ps"])?;

    say("It goes on: what was completed does not run again.");
    let resumed = tour.show(&["run", "--resume", JOBS])?;

    say("What became of each task, attempt by attempt.");
    tour.show(&["ps"])?;

    say("What one of them wrote, and every version of it: who changed it, when and why.");
    tour.show(&["logs", LONG, "--tail", "3"])?;
    tour.show(&["history", "task", LONG])?;
    tour.show(&["stats"])?;
    let whole = tour.show(&["verify"])?;
    println!("\nThe database is {}.", tour.database.display());
    Ok(resumed && whole)
}

impl Tour {
    /// With a store that is not there yet.
    fn fresh(target: &Path) -> Result<Self> {
        let folder = target.join("tour");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self { program: target.join("debug/outlast"), database: folder.join("outlast.db") })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).arg("--db").arg(format!("sqlite:{}", self.database.display()));
        command.current_dir(root()).stdin(Stdio::null());
        command
    }

    fn start(&self, args: &[&str]) -> Result<Child> {
        println!("$ outlast {}", args.join(" "));
        Ok(self.command(args).spawn()?)
    }

    fn show(&self, args: &[&str]) -> Result<bool> {
        println!("$ outlast {}", args.join(" "));
        succeeds(&mut self.command(args), false)
    }
}

fn say(text: &str) {
    println!("\n== {text}");
}
