//! The same work done by Outlast and by hand. Each call does one piece of work in a fresh folder
//! and prints one line of JSON; `cargo xtask bench compare` calls it in turns and compares.

mod bare;
mod history;
mod log;
mod measure;
mod naive;
mod ours;
mod raw_sled;
mod recover;
mod work;
mod yardstick;

use clap::Parser;

/// One piece of work, done once.
#[derive(Debug, Parser)]
struct Args {
    /// What: transition, log, recover, history, memory
    work: String,
    /// By whom
    by: String,
    /// How many callers at once
    #[arg(long, default_value_t = 64)]
    callers: usize,
    /// How much of it
    #[arg(long, default_value_t = 20_000)]
    ops: usize,
    /// How many entities there are
    #[arg(long, default_value_t = 10_000)]
    entities: usize,
    /// Where to make the folder; the system's folder for temporary files may be memory
    #[arg(long)]
    dir: Option<std::path::PathBuf>,
}

fn main() {
    let args = Args::parse();
    let folder = match &args.dir {
        Some(dir) => tempfile::TempDir::new_in(dir),
        None => tempfile::TempDir::new(),
    };
    let folder = folder.expect("a folder to work in");
    let job = work::Job {
        callers: args.callers,
        ops: args.ops,
        entities: args.entities,
        dir: folder.path().to_owned(),
    };
    let result = match (args.work.as_str(), args.by.as_str()) {
        ("transition", "naive") => naive::transitions(&job),
        ("transition", "y0") => yardstick::transitions(&job, yardstick::Audit::Both),
        ("transition", "y1") => yardstick::transitions(&job, yardstick::Audit::Small),
        ("transition", "ours") => ours::transitions(&job, "sqlite"),
        ("transition", "ours-sled") => ours::transitions(&job, "sled"),
        ("transition", "ours-memory") => ours::transitions(&job, "memory"),
        ("transition", "bare") => bare::transitions(&job, "sqlite"),
        ("transition", "raw-sled") => raw_sled::transitions(&job),
        ("log", "ours") => log::ours(&job),
        ("log", "rows") => log::rows(&job),
        ("log", "file") => log::file(&job),
        ("recover", "ours") => recover::ours(&job),
        ("recover", "scan") => recover::scan(&job),
        ("recover", "stream") => recover::stream(&job),
        ("history", "ours") => history::ours(&job),
        ("memory", "ours") => ours::memory(&job),
        ("memory", "map") => work::memory_of_a_map(&job),
        (work, by) => panic!("nobody called {by} does {work}"),
    };
    println!("{}", serde_json::to_string(&result).expect("a line of JSON"));
}
