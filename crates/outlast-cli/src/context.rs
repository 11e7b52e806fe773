//! What every command works with: the configuration, the output, and the store it opens.

use std::env;
use std::time::Duration;

use outlast::{
    Actor, Cause, Error, Id, Location, OpenOptions, Result, Store, StoreOptions, Upgrade,
};

use crate::args::Cli;
use crate::commands;
use crate::config::{Config, Sources};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::Output;

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) out: Output,
    /// Whether the arguments name the store.
    pub(crate) names_db: bool,
}

/// What a command may do to the store it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Look at it. It must be there, and nothing is written where the backend can promise that.
    Read,
    /// Change it. It must be there.
    Write,
    /// Change it, and make it if it is not there. Its folder must be.
    Create,
}

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> Outcome {
    let config = Config::load(&cli.global, &Sources::of_process())?;
    let out = Output::new(cli.global.json);
    let mut context = Context { config, out, names_db: cli.global.db.is_some() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| {
        Error::unavailable("the program could not start its threads").with_source(cause)
    })?;
    let outcome = runtime.block_on(commands::run(cli.command, &mut context));
    // A read of standard input that a signal broke off may never return.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match (outcome, context.out.flush()) {
        (Ok(Exit::Completed), Err(Failure::Failed(error))) => Err(error.into()),
        // What became of the work is the same whether or not anybody reads the output.
        (outcome, _) => outcome,
    }
}

impl Context {
    /// Opens the store of the configuration. Errors as for [`Location::open`].
    pub(crate) async fn open(&self, access: Access) -> Result<Store> {
        let location = &self.config.db;
        if access != Access::Create {
            must_be(location)?;
        }
        let open = match (access, location) {
            (Access::Create, _) => OpenOptions::default(),
            (Access::Write, _) => OpenOptions::existing(),
            // sled cannot open without writing; refusing an upgrade is the most it can promise.
            (Access::Read, Location::Sled(_)) => {
                OpenOptions { upgrade: Upgrade::Refuse, ..OpenOptions::existing() }
            }
            (Access::Read, _) => OpenOptions::read_only(),
        };
        let Config { locking, audit, .. } = self.config;
        location.open(open, StoreOptions { locking, audit, ..StoreOptions::default() }).await
    }
}

/// `Unavailable`, with what to do about it, if there is no store.
pub(crate) fn must_be(location: &Location) -> Result<()> {
    let (Location::Sqlite(path) | Location::Sled(path)) = location else { return Ok(()) };
    match path.try_exists() {
        Ok(false) => Err(Error::unavailable(format!(
            "there is no store at {}: outlast run makes one, and --db names another",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Who asks for a change, and why: the user by the name of the environment, else the system.
pub(crate) fn cause(reason: &str) -> Result<Cause> {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| env::var(name).ok());
    let user = user.filter(|user| !user.is_empty()).map(Id::new).transpose()?;
    Ok(Cause::by(user.map_or(Actor::System, Actor::User)).because(reason))
}

/// Closes the store whatever came of the command; the command's own failure goes first.
pub(crate) async fn close(store: Store, outcome: Outcome) -> Outcome {
    let closed = store.close().await;
    let exit = outcome?;
    closed?;
    Ok(exit)
}
