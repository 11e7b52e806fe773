//! `demo`: a program under load whose state moves live to SQLite, loses the database for a while,
//! is killed, recovered, rolled back and moved forward again; and nothing acknowledged is missing.

mod child;
mod log;

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;
use crate::workspace::{Workspace, cargo, succeeds};
use child::Child;
use log::Log;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print one line of JSON at the end
    #[arg(long)]
    json: bool,

    /// How long the load goes on in each phase, in seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
}

/// What is shown, and with what.
struct Demo {
    program: PathBuf,
    folder: PathBuf,
    quiet: bool,
    load: Duration,
    began: Instant,
    log: Log,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let build = [
        "build",
        "--quiet",
        "--locked",
        "--package",
        "outlast",
        "--example",
        "load",
        "--features",
        "migration,sqlite",
    ];
    if !succeeds(&mut cargo(&build), args.json)? {
        return Ok(false);
    }
    let target = Workspace::read()?.target;
    let folder = target.join("demo");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut demo = Demo {
        program: target.join("debug/examples/load"),
        folder,
        quiet: args.json,
        load: Duration::from_secs(args.seconds),
        began: Instant::now(),
        log: Log::default(),
    };
    demo.walk()?;
    demo.conclude(args.json)
}

impl Demo {
    fn say(&self, text: &str) {
        if !self.quiet {
            println!("[{:>5.1} s] {text}", self.began.elapsed().as_secs_f64());
        }
    }

    fn database(&self) -> PathBuf {
        self.folder.join("state.db")
    }

    fn start(&self) -> Result<Child> {
        Child::start(&self.program, &self.database(), &self.folder.join("state"), &self.log)
    }

    /// The load goes on for a while.
    fn linger(&self, what: &str) {
        sleep(self.load);
        let (durable, volatile) = self.log.acknowledged();
        self.say(&format!("{what}: {durable} acknowledged as durable, {volatile} as volatile"));
    }

    fn walk(&mut self) -> Result<()> {
        self.say("eight writers change counters that are in memory only");
        let mut child = self.start()?;
        child.order("write")?;
        self.linger("in memory");
        for phase in ["mirror", "shadow", "joint", "live"] {
            child.order(&format!("advance {phase}"))?;
            self.linger(&format!("in {phase}"));
        }
        self.outage(&mut child)?;
        self.killed(child)?;
        let mut child = self.start()?;
        self.say(&format!("killed with -9 and started again: it is {}", child.phase()));
        child.order("write")?;
        self.linger("after the kill");
        child.order("rollback shadow")?;
        self.linger("rolled back to shadow");
        child.order("advance live")?;
        self.linger("forward again to live");
        child.order("stop")?;
        child.order("settled")?;
        child.end()?;
        self.say("started once more, with nobody writing, to read everything");
        let mut child = self.start()?;
        child.order("dump")?;
        child.end()
    }

    /// Takes the database away from under a live kind, and gives it back.
    fn outage(&self, child: &mut Child) -> Result<()> {
        let (there, away) = (self.database(), self.folder.join("away.db"));
        fs::rename(&there, &away)?;
        self.say("the database is taken away: live writes are refused");
        sleep(Duration::from_millis(300));
        child.order("rollback shadow")?;
        self.linger("rolled back without it, in memory");
        fs::rename(&away, &there)?;
        child.order("settled")?;
        self.say("the database is given back, and has everything again");
        child.order("advance live")?;
        self.linger("live again");
        Ok(())
    }

    /// Whoever was acknowledged before the kill is owed; what is after it on the pipe is none.
    fn killed(&self, child: Child) -> Result<()> {
        let before = self.log.acknowledged().0;
        child.kill()?;
        self.say(&format!("kill -9, with {before} durable acknowledgements given and more coming"));
        Ok(())
    }

    fn conclude(&self, json: bool) -> Result<bool> {
        let verdict = self.log.verdict();
        if json {
            crate::report::print_json(&verdict.line())?;
        } else {
            verdict.print();
            println!("\nThe database is {}.", self.database().display());
        }
        Ok(verdict.holds())
    }
}
