//! `outlast run`: runs a file of tasks.

use std::path::PathBuf;

use clap::Args;
use outlast::Error;

use crate::context::Context;
use crate::failure::Outcome;

/// Run a file of tasks
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The file of tasks
    file: PathBuf,
}

pub(crate) async fn run(args: RunArgs, _context: &mut Context) -> Outcome {
    let file = args.file.display();
    Err(Error::unsupported(format!("{file}: running tasks is not built in yet")).into())
}
