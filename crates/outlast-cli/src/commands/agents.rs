//! `outlast agents`: who works on what.

use clap::{Args, Subcommand};
use outlast::swarm::Orchestra;
use outlast::{Agent, AgentStatus, AttrName, Status as _, Store, Stored};

use crate::commands::act::{self, Target};
use crate::commands::show;
use crate::context::Context;
use crate::failure::Outcome;
use crate::listing::{self, Paging, Row, cell};
use crate::output::moment;

/// List agents, the newest first, show one, or act on one
///
/// With an ID the same as show --kind agent ID. With --json: {"agents": [{"id", "version",
/// "updated_at", "status", "model", "task", "retry_count", "max_retries", "created_at", and where
/// there is one "swarm_id", "session_id", "parent_id", "fallback_models": [model],
/// "next_retry_at", "last_error", "started_at", "completed_at", "paused_at", "resumed_at",
/// "runtime_ms", "metadata"}], "more": whether there are more
/// after the last}, and of an act one such object.
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

    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Let it wait
    Pause(Target),
    /// Let a paused one go on
    Resume(Target),
    /// Stop it for good
    Kill(Target),
    /// Try a failed one again
    Retry(Target),
}

impl AgentsArgs {
    /// Whether it changes anything.
    pub(crate) fn changes(&self) -> bool {
        self.act.is_some()
    }

    fn asks_for_a_list(&self) -> bool {
        self.id.is_some()
            || self.swarm.is_some()
            || self.session.is_some()
            || self.parent.is_some()
            || self.status.is_some()
            || self.paging.is_given()
    }
}

pub(crate) async fn run(args: &AgentsArgs, store: &Store, context: &mut Context) -> Outcome {
    if let Some(act) = &args.act {
        act::check_alone(args.asks_for_a_list())?;
        return run_act(act, store, context).await;
    }
    if let Some(id) = &args.id {
        return show::one::<Agent>(id, store, context).await;
    }
    let query = listing::with_status(store.kind::<Agent>().query()?, args.status);
    let query = listing::with(query, AttrName::group(), args.swarm.as_deref());
    let query = listing::with(query, AttrName::new("session")?, args.session.as_deref());
    let query = listing::with(query, AttrName::new("parent")?, args.parent.as_deref());
    listing::list(query, &args.paging, cells, store, context).await
}

async fn run_act(act: &Act, store: &Store, context: &mut Context) -> Outcome {
    let (Act::Pause(target) | Act::Resume(target) | Act::Kill(target) | Act::Retry(target)) = act;
    let agent = Orchestra::new(store).with_cause(target.cause()?).agent(&*target.id);
    let changed = match act {
        Act::Pause(_) => agent.pause().await?,
        Act::Resume(_) => agent.resume().await?,
        Act::Kill(_) => agent.kill().await?,
        Act::Retry(_) => agent.retry().await?,
    };
    act::changed(&changed, context)
}

impl Row for Agent {
    const MANY: &'static str = "agents";
    const HEADINGS: &'static [&'static str] =
        &["SWARM", "MODEL", "RETRIES", "NEXT RETRY", "CREATED", "TASK"];
    const ORDER: Option<&'static str> = Some("created");
}

fn cells(agent: &Stored<Agent>) -> Vec<String> {
    vec![
        cell(agent.swarm_id.as_ref()),
        agent.model.clone(),
        format!("{} of {}", agent.retry_count, agent.max_retries),
        cell(agent.next_retry_at.map(moment)),
        moment(agent.created_at),
        agent.task.clone(),
    ]
}
