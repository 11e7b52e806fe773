//! `outlast swarms`: groups of agents.

use clap::{Args, Subcommand};
use outlast::swarm::Orchestra;
use outlast::{Budget, Status as _, Store, Stored, Swarm, SwarmStatus};

use crate::commands::act::{self, Target};
use crate::commands::show;
use crate::context::Context;
use crate::failure::Outcome;
use crate::listing::{self, Paging, Row, cell};
use crate::output::moment;

/// List swarms, the newest first, show one, or act on one
///
/// With an ID the same as show --kind swarm ID. With --json: {"swarms": [{"id", "version",
/// "updated_at", "status", "config": {"name", "task", "initial_agents", "max_agents", "strategy",
/// ...}, "metrics": {"total", "completed", "failed", "killed"}, "needs_reconcile", "created_at",
/// and where there is one "budget": {"allocated", "consumed", "currency", ...}, "target_agents",
/// "session_tree_id", "current_branch", "error", "completed_at"}], "more": whether there are more
/// after the last}, and of an act one such object.
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

    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Let it wait; its agents are told by whoever runs them
    Pause(Target),
    /// Let a paused one go on
    Resume(Target),
    /// Take it apart; its agents are left to whoever runs them, and are not tried again
    Destroy(Target),
}

impl SwarmsArgs {
    /// Whether it changes anything.
    pub(crate) fn changes(&self) -> bool {
        self.act.is_some()
    }

    fn asks_for_a_list(&self) -> bool {
        self.id.is_some() || self.status.is_some() || self.paging.is_given()
    }
}

pub(crate) async fn run(args: &SwarmsArgs, store: &Store, context: &mut Context) -> Outcome {
    if let Some(act) = &args.act {
        act::check_alone(args.asks_for_a_list())?;
        return run_act(act, store, context).await;
    }
    if let Some(id) = &args.id {
        return show::one::<Swarm>(id, store, context).await;
    }
    let query = listing::with_status(store.kind::<Swarm>().query()?, args.status);
    listing::list(query, &args.paging, cells, store, context).await
}

async fn run_act(act: &Act, store: &Store, context: &mut Context) -> Outcome {
    let (Act::Pause(target) | Act::Resume(target) | Act::Destroy(target)) = act;
    let swarm = Orchestra::new(store).with_cause(target.cause()?).swarm(&*target.id);
    let changed = match act {
        Act::Pause(_) => swarm.pause().await?,
        Act::Resume(_) => swarm.resume().await?,
        Act::Destroy(_) => swarm.destroy().await?,
    };
    act::changed(&changed, context)
}

impl Row for Swarm {
    const MANY: &'static str = "swarms";
    const HEADINGS: &'static [&'static str] = &["NAME", "AGENTS", "DONE", "BUDGET", "CREATED"];
    const ORDER: Option<&'static str> = Some("created");
}

fn cells(swarm: &Stored<Swarm>) -> Vec<String> {
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

fn spent(budget: &Budget) -> String {
    format!("{} of {} {}", budget.consumed, budget.allocated, budget.currency)
}
