//! One file per command.

pub(crate) mod ps;
pub(crate) mod run;

use crate::args::Command;
use crate::context::{Access, Context, close};
use crate::failure::Outcome;

/// Runs a command, on a store opened as it needs.
pub(crate) async fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Run(args) => run::run(args, context).await,
        Command::Ps(args) => {
            let store = context.open(Access::Read).await?;
            let outcome = ps::run(&args, &store, context).await;
            close(store, outcome).await
        }
    }
}
