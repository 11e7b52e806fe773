//! `outlast commands`: what was done on which host.

use clap::Args;
use outlast::{AttrName, Command, CommandStatus, Status as _, Store, Stored};

use crate::commands::{hosts, show};
use crate::context::Context;
use crate::failure::Outcome;
use crate::listing::{self, Paging, Row, cell};
use crate::output::moment;
use crate::view::elapsed;

/// List the commands that were sent to hosts, the newest first, or show one
///
/// With an ID the same as show --kind command ID; logs ID writes what it wrote. With --json:
/// {"commands": [{"id", "version", "updated_at", "status", "host_id", "op", "warning_ms",
/// "timeout_ms", "retryable", "created_at", and where there is one "run", "env", "reconnect_ms",
/// "queue_ms", "pipeline_id", "stage", "started_at", "finished_at", "warning_at", "timeout_at",
/// "reconnect_by", "queued_until", "kill_initiated_at", "kill_signal", "process": {"pid", ...},
/// "exit_code", "code", "error", "output_file"}], "more": whether there are more after the last}.
#[derive(Debug, Args)]
pub(crate) struct CommandsArgs {
    /// Show this one: its id, or the beginning of it
    #[arg(conflicts_with_all = ["host", "pipeline", "status", "orphaned", "limit", "after"])]
    id: Option<String>,

    /// List only those on this host, by its id or its name
    #[arg(long)]
    host: Option<String>,

    /// List only those of this pipeline
    #[arg(long, value_name = "ID")]
    pipeline: Option<String>,

    /// List only those in this state, such as queued, executing, success or error
    #[arg(long, value_parser = CommandStatus::parse)]
    status: Option<CommandStatus>,

    /// List only those that were under way when the program that drove them ended
    #[arg(long, conflicts_with = "status")]
    orphaned: bool,

    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(args: &CommandsArgs, store: &Store, context: &mut Context) -> Outcome {
    if let Some(id) = &args.id {
        return show::one::<Command>(id, store, context).await;
    }
    let host = match &args.host {
        Some(host) => Some(hosts::id_of(store, host).await?),
        None => None,
    };
    let orphaned = args.orphaned.then_some(CommandStatus::Orphaned);
    let query = store.kind::<Command>().query()?;
    let query = listing::with_status(query, args.status.or(orphaned));
    let query = listing::with(query, AttrName::new("host")?, host.as_deref());
    let query = listing::with(query, AttrName::group(), args.pipeline.as_deref());
    listing::list::<Command>(query, &args.paging, store, context).await
}

impl Row for Command {
    const MANY: &'static str = "commands";
    const HEADINGS: &'static [&'static str] =
        &["HOST", "OP", "EXIT", "CREATED", "TOOK", "PIPELINE", "ERROR"];

    fn cells(command: &Stored<Self>) -> Vec<String> {
        vec![
            command.host_id.clone(),
            command.spec.op.clone(),
            cell(command.exit_code),
            moment(command.created_at),
            cell(elapsed(command.started_at, command.finished_at, command.status.is_settled())),
            cell(command.pipeline_id.as_ref()),
            cell(command.error.as_ref()),
        ]
    }
}
