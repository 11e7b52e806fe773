//! `migrate`: for those who change how SQLite stores are laid out.

mod database;
mod folder;
mod seal;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::Result;
use crate::report::print_json;
use crate::workspace::{cargo, root};

/// Where the migrations are, and the link by which they are packaged with the crate.
const FOLDER: &str = "migrations/sqlite";
const LINK: &str = "crates/outlast-sqlite/migrations";

/// Where the backend lists the migrations it knows.
const RELEASED: &str = "crates/outlast-sqlite/src/schema/mod.rs";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the two files of the next migration
    New {
        /// What it is about, in lower snake case
        name: String,
    },
    /// Add the sums of new migrations to CHECKSUMS; from then on they may not change
    Seal,
    /// Show where a database file stands
    Status(database::Target),
    /// Apply to a database file what is pending
    Up(database::Target),
    /// Take the last migration back, dropping what it made
    Down {
        #[command(flatten)]
        target: database::Target,
        /// Go down to this layout
        #[arg(long, value_name = "NUMBER")]
        to: Option<u32>,
        /// Do drop what is listed
        #[arg(long)]
        yes: bool,
    },
    /// Move kinds between memory and a database: runs outlast migrate state
    #[command(disable_help_flag = true)]
    State {
        /// What outlast migrate state takes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    /// Check names, numbers and sums, and go up, down and up on an empty database
    Check {
        /// One line of JSON per problem
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let folder = root().join(FOLDER);
    match &args.command {
        Command::New { name } => new(&folder, name),
        Command::Seal => seal(&folder),
        Command::Status(target) => runtime()?.block_on(database::status(target)),
        Command::Up(target) => runtime()?.block_on(database::up(target)),
        Command::Down { target, to, yes } => runtime()?.block_on(database::down(target, *to, *yes)),
        Command::State { args } => state(args),
        Command::Check { json } => check(&folder, *json),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Runs the program, which people who install it run by itself.
fn state(args: &[std::ffi::OsString]) -> Result<bool> {
    let run = ["run", "--quiet", "--locked", "--package", "outlast-cli", "--"];
    let mut command = cargo(&run);
    command.args(["migrate", "state"]).args(args);
    Ok(command.status()?.success())
}

fn new(folder: &Path, name: &str) -> Result<bool> {
    if !folder::is_name(name) {
        return Err(format!("{name:?} is not in lower snake case, as in add_labels").into());
    }
    let number = folder::read(folder)?.len() + 1;
    for (way, what) in [("up", "What changes, and why."), ("down", "What undoes it.")] {
        let file = folder.join(format!("{number:04}_{name}.{way}.sql"));
        fs::write(&file, format!("-- {what}\n"))?;
        println!("{}", file.strip_prefix(root()).unwrap_or(&file).display());
    }
    Ok(true)
}

fn seal(folder: &Path) -> Result<bool> {
    let migrations = folder::read(folder)?;
    let file = folder.join(seal::FILE);
    let differences = seal::compare(&migrations, &fs::read_to_string(&file).unwrap_or_default());
    if !differences.broken.is_empty() {
        let broken = differences.broken.join(", ");
        return Err(format!(
            "{broken} changed after it was sealed; bring it back and write a further migration"
        )
        .into());
    }
    fs::write(&file, seal::text(&migrations))?;
    println!("sealed: {} new", differences.unsealed.len());
    Ok(true)
}

#[derive(serde::Serialize)]
struct Problem {
    problem: String,
}

fn check(folder: &Path, json: bool) -> Result<bool> {
    let problems = problems(folder)?;
    for problem in &problems {
        if json {
            print_json(&Problem { problem: problem.clone() })?;
        } else {
            println!("{problem}");
        }
    }
    if !json {
        println!("migrations: {} problems", problems.len());
    }
    Ok(problems.is_empty())
}

fn problems(folder: &Path) -> Result<Vec<String>> {
    let migrations = match folder::read(folder) {
        Ok(migrations) => migrations,
        Err(error) => return Ok(error.to_string().lines().map(str::to_owned).collect()),
    };
    let sealed = fs::read_to_string(folder.join(seal::FILE)).unwrap_or_default();
    let differences = seal::compare(&migrations, &sealed);
    let broken = differences.broken.iter();
    let mut problems: Vec<String> =
        broken.map(|file| format!("{file} is not what it was when it was sealed")).collect();
    for file in differences.unsealed {
        eprintln!("{file} may still change; `cargo xtask migrate seal` before it is released");
    }
    let released = outlast_sqlite::schema::Schema::released().latest();
    if usize::try_from(released) != Ok(migrations.len()) {
        let written = migrations.len();
        problems.push(format!("{RELEASED} lists {released} migrations, {written} are written"));
    }
    if !leads_to(&root().join(LINK), folder) {
        problems.push(format!("{LINK} is no link to {FOLDER}, so the crate would lack them"));
    }
    match runtime()?.block_on(trial::round_trip(&migrations)) {
        Ok(found) => problems.extend(found),
        Err(error) => problems.push(error.to_string()),
    }
    Ok(problems)
}

fn leads_to(link: &Path, folder: &Path) -> bool {
    let real: fn(&Path) -> Option<PathBuf> = |path| path.canonicalize().ok();
    link.is_symlink() && real(link).is_some_and(|target| Some(target) == real(folder))
}
