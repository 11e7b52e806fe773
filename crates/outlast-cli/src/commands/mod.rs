//! One file per command.

pub(crate) mod act;
pub(crate) mod agents;
pub(crate) mod audit;
pub(crate) mod checkpoints;
pub(crate) mod copy;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod hosts;
pub(crate) mod import;
pub(crate) mod journal;
pub(crate) mod logs;
pub(crate) mod migrate;
pub(crate) mod pipelines;
pub(crate) mod prune;
pub(crate) mod ps;
pub(crate) mod recover;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod sessions;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod swarms;
pub(crate) mod verify;
pub(crate) mod windows;

use outlast::Store;

use crate::args::{Command, Query};
use crate::context::{Access, Context};
use crate::failure::Outcome;
use crate::signals::Signals;

/// Runs a command.
pub(crate) async fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Run(args) => run::run(args, context).await,
        Command::Import(args) => import::run(&args, context).await,
        Command::Prune(args) => prune::run(&args, context).await,
        Command::Recover(args) => recover::run(&args, context).await,
        Command::Checkpoints(args) => checkpoints::run(&args, context).await,
        Command::Rollback(args) => rollback::run(&args, context).await,
        Command::Schema(args) => schema::run(&args, context).await,
        Command::Copy(args) => copy::run(&args, context).await,
        Command::Migrate(args) => migrate::run(&args, context).await,
        Command::Query(query) => {
            let mut signals = Signals::listen()?;
            let store = context.open(access(&query)).await?;
            let outcome = signals.until(left(&query), look(&query, &store, context)).await;
            signals.close(store, outcome).await
        }
    }
}

/// What a command may do to the store: a list that is also where one of it is acted on may write.
fn access(query: &Query) -> Access {
    let changes = match query {
        Query::Swarms(args) => args.changes(),
        Query::Agents(args) => args.changes(),
        Query::Commands(args) => args.changes(),
        Query::Pipelines(args) => args.changes(),
        _ => false,
    };
    if changes { Access::Write } else { Access::Read }
}

async fn look(query: &Query, store: &Store, context: &mut Context) -> Outcome {
    match query {
        Query::Ps(args) => ps::run(args, store, context).await,
        Query::Show(args) => show::run(args, store, context).await,
        Query::Logs(args) => logs::run(args, store, context).await,
        Query::History(args) => history::run(args, store, context).await,
        Query::Swarms(args) => swarms::run(args, store, context).await,
        Query::Agents(args) => agents::run(args, store, context).await,
        Query::Sessions(args) => sessions::run(args, store, context).await,
        Query::Hosts(args) => hosts::run(args, store, context).await,
        Query::Commands(args) => journal::run(args, store, context).await,
        Query::Pipelines(args) => pipelines::run(args, store, context).await,
        Query::Windows(args) => windows::run(args, store, context).await,
        Query::Events(args) => events::run(args, store, context).await,
        Query::Audit(args) => audit::run(args, store, context).await,
        Query::Stats(args) => stats::run(args, store, context).await,
        Query::Export(args) => export::run(args, store, context).await,
        Query::Verify(args) => verify::run(args, store, context).await,
    }
}

/// What it leaves when a signal ends it.
fn left(query: &Query) -> &'static str {
    match query {
        Query::Export(_) => "the export was not completed, and no file of it is kept",
        Query::Verify(_) => "not everything was read; verify again",
        Query::Logs(_) => "the task itself was not touched",
        query if access(query) == Access::Write => "it was done or not; history tells which",
        _ => "the rest was not written",
    }
}
