//! `outlast windows`: what subscriptions wait for.

use std::time::Duration;

use clap::Args;
use outlast::{
    AttrName, Clock as _, Filter, Status as _, Store, Stored, SystemClock, Test, Timestamp, Window,
    WindowKind, WindowStatus,
};
use serde::Serialize;

use crate::commands::show;
use crate::context::Context;
use crate::duration;
use crate::failure::Outcome;
use crate::listing::{self, EntityView, Paging, Row, cell};
use crate::output::moment;

/// List the joins and batches that are open, the newest first, or show one
///
/// With an ID the same as show --kind window ID. With --json: {"windows": [{"id", "version",
/// "updated_at", "remaining_ms": until time alone changes it, or null, "status", "operation",
/// "agent_name", "subscription", "subscription_index", "fingerprint", "collected": {type: count},
/// "items_collected", "opened_at_seq", "created_at", and where there is one "correlation_key",
/// "types": [type], "required": {type: count}, "items_target", "window_ms", "window_count",
/// "window_end", "finished_at", "dispatch": {"id", "attempts", ...}, "error"}], "more": whether
/// there are more after the last}.
#[derive(Debug, Args)]
pub(crate) struct WindowsArgs {
    /// Show this one: its id, or the beginning of it
    #[arg(conflicts_with_all = ["agent", "status", "all", "limit", "after"])]
    id: Option<String>,

    /// List only those of this agent's subscriptions
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,

    /// List only those in this state, such as waiting, dispatching or dead_letter
    #[arg(long, value_parser = WindowStatus::parse)]
    status: Option<WindowStatus>,

    /// List also those that are over
    #[arg(long, conflicts_with = "status")]
    all: bool,

    #[command(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
struct View<'a> {
    remaining_ms: Option<u64>,
    #[serde(flatten)]
    window: EntityView<'a, Window>,
}

pub(crate) async fn run(args: &WindowsArgs, store: &Store, context: &mut Context) -> Outcome {
    if let Some(id) = &args.id {
        return show::one::<Window>(id, store, context).await;
    }
    let query = listing::with_status(store.kind::<Window>().query()?, args.status);
    let mut query = listing::with(query, AttrName::new("agent")?, args.agent.as_deref());
    if args.status.is_none() && !args.all {
        let open = WindowStatus::ALL.iter().filter(|status| !status.is_settled());
        let open = open.map(|status| status.as_str().into()).collect();
        query = query.filter(Filter { name: AttrName::status(), test: Test::AnyOf(open) });
    }
    let found = listing::collect::<Window>(store, query, &args.paging).await?;
    let now = store.clock().now();
    let views = found.items.iter().map(|window| View {
        remaining_ms: remaining(window, now).map(|left| left.as_millis().try_into().unwrap_or(0)),
        window: EntityView::of(window),
    });
    listing::show(&found, &views.collect::<Vec<_>>(), context)
}

/// How long it is until time alone changes it, if it does.
fn remaining(window: &Window, now: Timestamp) -> Option<Duration> {
    Some(window.deadline()?.since(now))
}

impl Row for Window {
    const MANY: &'static str = "windows";
    const HEADINGS: &'static [&'static str] =
        &["AGENT", "SUBSCRIPTION", "OPERATION", "KEY", "ITEMS", "REMAINING", "DEADLINE"];
    const ORDER: Option<&'static str> = Some("created");

    fn cells(window: &Stored<Self>) -> Vec<String> {
        let operation = match window.operation {
            WindowKind::Join => "join",
            WindowKind::Batch => "batch",
        };
        let left = remaining(window, SystemClock::default().now());
        vec![
            window.agent_name.clone(),
            window.subscription.clone(),
            operation.to_owned(),
            cell(window.correlation_key.as_ref()),
            items(window),
            cell(left.map(duration::display)),
            cell(window.deadline().map(moment)),
        ]
    }
}

/// How many there are of how many: of each type for a join, in all for a batch.
fn items(window: &Window) -> String {
    if window.required.is_empty() {
        let target = window.items_target.map(|target| format!(" of {target}"));
        return format!("{}{}", window.items_collected, target.unwrap_or_default());
    }
    let types = window.required.iter().map(|(name, required)| {
        let collected = window.collected.get(name).unwrap_or(&0);
        format!("{name} {collected} of {required}")
    });
    types.collect::<Vec<_>>().join(", ")
}
