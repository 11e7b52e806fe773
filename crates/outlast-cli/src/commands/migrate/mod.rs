//! `outlast migrate state`: moves kinds between memory and a database.

mod act;
mod show;

use std::path::{Path, PathBuf, absolute};

use clap::{Args, Subcommand};
use outlast::migration::{Flags, Migration, Options};
use outlast::{Error, Location, Result, StoreOptions};
use serde_json::Value;

use crate::commands::migrate::act::Act;
use crate::config::Config;
use crate::context::{Context, must_be};
use crate::control::{Asked, Order, SOCKET, Told, ask, carry_out};
use crate::failure::{Failure, Outcome};
use crate::output::Steps;
use crate::signals::Signals;

/// Move live state from memory to a database, and back
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    State(StateArgs),
}

/// Move kinds from memory to a database while they are used, and back, and show where they stand
///
/// A kind goes from memory through mirror, shadow and joint to live, and for good to final. While
/// outlast run --migrate-to runs, its process is asked through its control socket; otherwise the
/// database that --db names is opened. Refused with exit code 4 while another process that cannot
/// be asked moves them. Where no KIND is named, all are meant, parents first, or children first on
/// the way back. With --json one object per command, as described by each; that of a command that
/// moves something has "kinds": [{"kind", "phase", "next"}] as well.
#[derive(Debug, Args)]
struct StateArgs {
    #[command(subcommand)]
    act: Act,

    /// The socket of the process to ask [default: control.sock in the state directory]
    #[arg(long, global = true, value_name = "PATH")]
    control: Option<PathBuf>,

    /// Take over from a process in another container that cannot be seen, but is certainly gone
    #[arg(long, global = true)]
    take_over: bool,
}

/// What a signal leaves.
const LEFT: &str = "what was reached stays; the same command goes on from there";

pub(crate) async fn run(args: &MigrateArgs, context: &mut Context) -> Outcome {
    let What::State(args) = &args.what;
    let order = args.act.order()?;
    let mut signals = Signals::listen()?;
    let mut steps = Steps::start(context.out.is_json());
    let mut told = |step: Told| steps.told(&step);
    let asked = signals.until(LEFT, through(args, &order, context, &mut told)).await?;
    let answer = match asked {
        Asked::Answered(answer) => answer,
        Asked::Nobody => here(args, &order, context, &mut signals, &mut told).await?,
    };
    drop(steps);
    let exit = show::exit(&order, &answer);
    if context.out.is_json() {
        context.out.json(&answer)?;
    } else {
        show::print(&order, &answer, &mut context.out)?;
    }
    Ok(exit)
}

/// Asks the process that listens, if there is one.
async fn through(
    args: &StateArgs,
    order: &Order,
    context: &Context,
    told: &mut (dyn FnMut(Told) + Send),
) -> Result<Asked, Failure> {
    let socket = args.control.clone().unwrap_or_else(|| context.config.state_dir.join(SOCKET));
    let database = context.names_db.then(|| place(&context.config.db));
    let asked = ask(&socket, database, order, told).await?;
    if matches!(asked, Asked::Nobody) && args.control.is_some() {
        let message = format!(
            "nobody listens at {}: leave --control out to open the database that --db names",
            socket.display()
        );
        return Err(Error::unavailable(message).into());
    }
    Ok(asked)
}

/// A location as a process that has it open calls it.
fn place(location: &Location) -> String {
    let whole = |path: &Path| absolute(path).unwrap_or_else(|_| path.to_owned());
    match location {
        Location::Memory => Location::Memory,
        Location::Sqlite(path) => Location::Sqlite(whole(path)),
        Location::Sled(path) => Location::Sled(whole(path)),
    }
    .to_string()
}

/// Opens the database and does it here.
async fn here(
    args: &StateArgs,
    order: &Order,
    context: &Context,
    signals: &mut Signals,
    told: &mut (dyn FnMut(Told) + Send),
) -> Result<Value, Failure> {
    let Config { db, use_database, persistence, .. } = &context.config;
    if *db == Location::Memory {
        return Err(Error::invalid(
            "no process listens whose memory could be moved: name a database with --db, or start \
             outlast run --db memory: --migrate-to URL",
        )
        .into());
    }
    must_be(db)?;
    let flags = if *persistence { use_database.clone() } else { Flags::all(false) };
    let options = Options { take_over: args.take_over, ..options(&context.config, flags) };
    let migration = outlast::migration::open(Some(db), options).await?;
    let done = signals.until(LEFT, async { Ok(carry_out(&migration, order, told).await?) }).await;
    let closed = migration.close().await;
    let answer = done?;
    closed?;
    Ok(answer)
}

/// How a store moves, as configured.
pub(crate) fn options(config: &Config, flags: Flags) -> Options {
    Options {
        flags,
        standby: true,
        state_dir: config.state_dir.clone(),
        enable_optimistic_locking: config.locking,
        enable_audit_log: config.audit,
        store: StoreOptions::default(),
        ..Options::default()
    }
}

/// The store of a run that is in memory, beside a database if there is to be one.
pub(crate) async fn open(
    config: &Config,
    database: Option<&Location>,
    control: Option<PathBuf>,
    take_over: bool,
) -> Result<Migration> {
    let options = Options {
        enable_persistence: config.persistence,
        control: control.map(|path| absolute(&path).unwrap_or(path)),
        take_over,
        ..options(config, config.use_database.clone())
    };
    if database.is_none() && options.enable_persistence && options.flags.want_any() {
        return Err(Error::invalid(
            "use_database wishes for kinds in a database, and none is named: add --migrate-to URL",
        ));
    }
    match database {
        Some(to) if config.db != Location::Memory => {
            outlast::migration::between(&config.db, to, options).await
        }
        _ => outlast::migration::open(database, options).await,
    }
}
