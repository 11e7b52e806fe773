//! `outlast swarms`: groups of agents.

use clap::Args;
use outlast::{Budget, Status as _, Store, Stored, Swarm, SwarmStatus};

use crate::commands::show;
use crate::context::Context;
use crate::failure::Outcome;
use crate::listing::{self, Paging, Row, cell};
use crate::output::moment;

/// List swarms, the newest first, or show one
///
/// With an ID the same as show --kind swarm ID. With --json: {"swarms": [{"id", "version",
/// "updated_at", "status", "config": {"name", "task", "initial_agents", "max_agents", "strategy",
/// ...}, "metrics": {"total", "completed", "failed", "killed"}, "needs_reconcile", "created_at",
/// and where there is one "budget": {"allocated", "consumed", "currency", ...}, "target_agents",
/// "session_tree_id", "current_branch", "error", "completed_at"}], "more": whether there are more
/// after the last}.
#[derive(Debug, Args)]
pub(crate) struct SwarmsArgs {
    /// Show this one: its id, or the beginning of it
    #[arg(conflicts_with_all = ["status", "limit", "after"])]
    id: Option<String>,

    /// List only those in this state, such as active, paused or completed
    #[arg(long, value_parser = SwarmStatus::parse)]
    status: Option<SwarmStatus>,

    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(args: &SwarmsArgs, store: &Store, context: &mut Context) -> Outcome {
    if let Some(id) = &args.id {
        return show::one::<Swarm>(id, store, context).await;
    }
    let query = listing::with_status(store.kind::<Swarm>().query()?, args.status);
    listing::list::<Swarm>(query, &args.paging, store, context).await
}

impl Row for Swarm {
    const MANY: &'static str = "swarms";
    const HEADINGS: &'static [&'static str] = &["NAME", "AGENTS", "DONE", "BUDGET", "CREATED"];
    const ORDER: Option<&'static str> = Some("created");

    fn cells(swarm: &Stored<Self>) -> Vec<String> {
        let metrics = &swarm.metrics;
        let over = metrics.completed + metrics.failed + metrics.killed;
        vec![
            swarm.config.name.clone(),
            metrics.at_work().to_string(),
            format!("{over} of {}", metrics.total),
            cell(swarm.budget.as_ref().map(spent)),
            moment(swarm.created_at),
        ]
    }
}

fn spent(budget: &Budget) -> String {
    format!("{} of {} {}", budget.consumed, budget.allocated, budget.currency)
}
