//! One file per command.

pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod logs;
pub(crate) mod prune;
pub(crate) mod ps;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod verify;

use crate::args::{Command, Query};
use crate::context::{Access, Context, close};
use crate::failure::Outcome;

/// Runs a command.
pub(crate) async fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Run(args) => run::run(args, context).await,
        Command::Import(args) => import::run(&args, context).await,
        Command::Prune(args) => prune::run(&args, context).await,
        Command::Schema(args) => schema::run(&args, context).await,
        Command::Query(query) => {
            let store = context.open(Access::Read).await?;
            let outcome = match &query {
                Query::Ps(args) => ps::run(args, &store, context).await,
                Query::Show(args) => show::run(args, &store, context).await,
                Query::Logs(args) => logs::run(args, &store, context).await,
                Query::History(args) => history::run(args, &store, context).await,
                Query::Stats(args) => stats::run(args, &store, context).await,
                Query::Export(args) => export::run(args, &store, context).await,
                Query::Verify(args) => verify::run(args, &store, context).await,
            };
            close(store, outcome).await
        }
    }
}
