//! The arguments of the program.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    agents, audit, checkpoints, copy, events, export, history, hosts, import, journal, logs,
    migrate, pipelines, prune, ps, recover, rollback, run, schema, sessions, show, stats, swarms,
    verify, windows,
};
use crate::{config, exit};

/// Runs files of tasks so that nothing is lost when it is killed, and shows, checks and moves
/// what a store holds.
#[derive(Debug, Parser)]
#[command(name = "outlast", version, max_term_width = 100, after_help = exit::HELP)]
#[command(after_long_help = config::help())]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What stands above the arguments that every command takes.
const EVERYWHERE: &str = "Options of every command";

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Where the store is: sqlite:PATH, or sled:PATH for one process at a time
    /// [default: sqlite:outlast.db, or as configured]
    #[arg(long, global = true, value_name = "URL", help_heading = EVERYWHERE)]
    pub(crate) db: Option<String>,

    /// The one configuration file to read, instead of ./outlast.toml and the one in your home
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    pub(crate) config: Option<PathBuf>,

    /// Write JSON: results to standard output, an error as one object to standard error
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::RunArgs),
    #[command(flatten)]
    Query(Query),
    Import(import::ImportArgs),
    Prune(prune::PruneArgs),
    Checkpoints(checkpoints::CheckpointsArgs),
    Rollback(rollback::RollbackArgs),
    Recover(recover::RecoverArgs),
    Schema(schema::SchemaArgs),
    Copy(copy::CopyArgs),
    Migrate(migrate::MigrateArgs),
}

/// The commands that look at what there is; some of them can also act on one entity.
#[derive(Debug, Subcommand)]
pub(crate) enum Query {
    Ps(ps::PsArgs),
    Show(show::ShowArgs),
    Logs(logs::LogsArgs),
    History(history::HistoryArgs),
    Swarms(swarms::SwarmsArgs),
    Agents(agents::AgentsArgs),
    Sessions(sessions::SessionsArgs),
    Hosts(hosts::HostsArgs),
    Commands(journal::CommandsArgs),
    Pipelines(pipelines::PipelinesArgs),
    Windows(windows::WindowsArgs),
    Events(events::EventsArgs),
    Audit(audit::AuditArgs),
    Stats(stats::StatsArgs),
    Verify(verify::VerifyArgs),
    Export(export::ExportArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_well_formed() {
        Cli::command().debug_assert();
    }
}
