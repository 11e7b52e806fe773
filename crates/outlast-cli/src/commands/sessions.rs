//! `outlast sessions`: conversations and their branches.

use clap::Args;
use outlast::{AttrName, Session, SessionStatus, Status as _, Store, Stored};

use crate::commands::show;
use crate::context::Context;
use crate::failure::Outcome;
use crate::listing::{self, Paging, Row, cell};
use crate::output::moment;

/// List sessions, the newest first, or show one
///
/// With an ID the same as show --kind session ID. With --json: {"sessions": [{"id", "version",
/// "updated_at", "status", "session_tree_id", "branch_name", "entry_count", "created_at", and
/// where there is one "swarm_id", "last_entry_id", "closed_at"}], "more": whether there are more
/// after the last}.
#[derive(Debug, Args)]
pub(crate) struct SessionsArgs {
    /// Show this one: its id, or the beginning of it
    #[arg(conflicts_with_all = ["swarm", "tree", "status", "limit", "after"])]
    id: Option<String>,

    /// List only those that this swarm works in
    #[arg(long, value_name = "ID")]
    swarm: Option<String>,

    /// List only the branches of this tree
    #[arg(long, value_name = "ID")]
    tree: Option<String>,

    /// List only those in this state: open or closed
    #[arg(long, value_parser = SessionStatus::parse)]
    status: Option<SessionStatus>,

    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(args: &SessionsArgs, store: &Store, context: &mut Context) -> Outcome {
    if let Some(id) = &args.id {
        return show::one::<Session>(id, store, context).await;
    }
    let query = listing::with_status(store.kind::<Session>().query()?, args.status);
    let query = listing::with(query, AttrName::group(), args.swarm.as_deref());
    let query = listing::with(query, AttrName::new("tree")?, args.tree.as_deref());
    listing::list(query, &args.paging, cells, store, context).await
}

impl Row for Session {
    const MANY: &'static str = "sessions";
    const HEADINGS: &'static [&'static str] = &["TREE", "BRANCH", "SWARM", "ENTRIES", "CREATED"];
    const ORDER: Option<&'static str> = Some("created");
}

fn cells(session: &Stored<Session>) -> Vec<String> {
    vec![
        session.session_tree_id.clone(),
        session.branch_name.clone(),
        cell(session.swarm_id.as_ref()),
        session.entry_count.to_string(),
        moment(session.created_at),
    ]
}
