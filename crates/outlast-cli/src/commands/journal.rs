//! `outlast commands`: what was done on which host.

use clap::{Args, Subcommand};
use outlast::fleet::{Completion, Fleet, KillSignal};
use outlast::{AttrName, Command, CommandStatus, Status as _, Store, Stored};

use crate::commands::act::{self, Target};
use crate::commands::{hosts, show};
use crate::context::Context;
use crate::failure::Outcome;
use crate::listing::{self, Paging, Row, cell};
use crate::output::moment;
use crate::view::elapsed;

/// List the commands that were sent to hosts, the newest first, show one, or act on one
///
/// With an ID the same as show --kind command ID; logs ID writes what it wrote. With --json:
/// {"commands": [{"id", "version", "updated_at", "status", "host_id", "op", "warning_ms",
/// "timeout_ms", "retryable", "created_at", and where there is one "run", "env", "reconnect_ms",
/// "queue_ms", "pipeline_id", "stage", "started_at", "finished_at", "warning_at", "timeout_at",
/// "reconnect_by", "queued_until", "kill_initiated_at", "kill_signal", "process": {"pid", ...},
/// "exit_code", "code", "error", "output_file"}], "more": whether there are more after the
/// last}, and of an act one such object.
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

    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Call one off that was not sent yet
    Cancel(Target),
    /// Wait for one no longer, whatever comes of it
    Skip(Target),
    /// Have the process of one killed by whoever carries it out
    Kill {
        #[command(flatten)]
        target: Target,
        /// Without asking it to end first
        #[arg(long)]
        hard: bool,
    },
    /// Give one more time, counted from where its time ended
    Extend {
        #[command(flatten)]
        target: Target,
        /// How much more
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        minutes: u32,
    },
    /// Say what came of an orphaned one
    Reconcile {
        #[command(flatten)]
        target: Target,
        /// What it ended with
        #[arg(long, allow_negative_numbers = true)]
        exit_code: i32,
    },
}

impl Act {
    fn target(&self) -> &Target {
        match self {
            Self::Cancel(target)
            | Self::Skip(target)
            | Self::Kill { target, .. }
            | Self::Extend { target, .. }
            | Self::Reconcile { target, .. } => target,
        }
    }
}

impl CommandsArgs {
    /// Whether it changes anything.
    pub(crate) fn changes(&self) -> bool {
        self.act.is_some()
    }

    fn asks_for_a_list(&self) -> bool {
        self.id.is_some()
            || self.host.is_some()
            || self.pipeline.is_some()
            || self.status.is_some()
            || self.orphaned
            || self.paging.is_given()
    }
}

pub(crate) async fn run(args: &CommandsArgs, store: &Store, context: &mut Context) -> Outcome {
    if let Some(act) = &args.act {
        act::check_alone(args.asks_for_a_list())?;
        return run_act(act, store, context).await;
    }
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
    listing::list(query, &args.paging, cells, store, context).await
}

async fn run_act(act: &Act, store: &Store, context: &mut Context) -> Outcome {
    let Target { id, reason } = act.target();
    let commands = Fleet::new(store).with_cause(act.target().cause()?).commands();
    let changed = match act {
        Act::Cancel(_) => commands.cancel(id, reason).await?,
        Act::Skip(_) => commands.skip(id, reason).await?,
        Act::Kill { hard: false, .. } => commands.kill(id, KillSignal::Term).await?,
        Act::Kill { .. } => commands.kill(id, KillSignal::Kill).await?,
        Act::Extend { minutes, .. } => commands.extend(id, *minutes).await?,
        Act::Reconcile { exit_code, .. } => {
            commands.reconcile(id, &Completion::exited(*exit_code)).await?
        }
    };
    act::changed(&changed, context)
}

impl Row for Command {
    const MANY: &'static str = "commands";
    const HEADINGS: &'static [&'static str] =
        &["HOST", "OP", "EXIT", "CREATED", "TOOK", "PIPELINE", "ERROR"];
}

fn cells(command: &Stored<Command>) -> Vec<String> {
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
