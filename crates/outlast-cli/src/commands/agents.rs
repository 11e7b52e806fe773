//! `outlast agents`: who works on what.

use clap::Args;
use outlast::{Agent, AgentStatus, AttrName, Status as _, Store, Stored};

use crate::commands::show;
use crate::context::Context;
use crate::failure::Outcome;
use crate::listing::{self, Paging, Row, cell};
use crate::output::moment;

/// List agents, the newest first, or show one
///
/// With an ID the same as show --kind agent ID. With --json: {"agents": [{"id", "version",
/// "updated_at", "status", "model", "task", "retry_count", "max_retries", "created_at", and where
/// there is one "swarm_id", "session_id", "parent_id", "fallback_models": [model],
/// "next_retry_at", "last_error", "started_at", "completed_at", "paused_at", "resumed_at",
/// "runtime_ms", "metadata"}], "more": whether there are more after the last}.
#[derive(Debug, Args)]
pub(crate) struct AgentsArgs {
    /// Show this one: its id, or the beginning of it
    #[arg(conflicts_with_all = ["swarm", "session", "parent", "status", "limit", "after"])]
    id: Option<String>,

    /// List only those of this swarm
    #[arg(long, value_name = "ID")]
    swarm: Option<String>,

    /// List only those that work in this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,

    /// List only those that this agent made
    #[arg(long, value_name = "ID")]
    parent: Option<String>,

    /// List only those in this state, such as running, retrying or failed
    #[arg(long, value_parser = AgentStatus::parse)]
    status: Option<AgentStatus>,

    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(args: &AgentsArgs, store: &Store, context: &mut Context) -> Outcome {
    if let Some(id) = &args.id {
        return show::one::<Agent>(id, store, context).await;
    }
    let query = listing::with_status(store.kind::<Agent>().query()?, args.status);
    let query = listing::with(query, AttrName::group(), args.swarm.as_deref());
    let query = listing::with(query, AttrName::new("session")?, args.session.as_deref());
    let query = listing::with(query, AttrName::new("parent")?, args.parent.as_deref());
    listing::list::<Agent>(query, &args.paging, store, context).await
}

impl Row for Agent {
    const MANY: &'static str = "agents";
    const HEADINGS: &'static [&'static str] =
        &["SWARM", "MODEL", "RETRIES", "NEXT RETRY", "CREATED", "TASK"];
    const ORDER: Option<&'static str> = Some("created");

    fn cells(agent: &Stored<Self>) -> Vec<String> {
        vec![
            cell(agent.swarm_id.as_ref()),
            agent.model.clone(),
            format!("{} of {}", agent.retry_count, agent.max_retries),
            cell(agent.next_retry_at.map(moment)),
            moment(agent.created_at),
            agent.task.clone(),
        ]
    }
}
