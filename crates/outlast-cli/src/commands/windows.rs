//! `outlast windows`: what subscriptions wait for.

use std::collections::BTreeMap;

use clap::Args;
use outlast::windows::WindowState;
use outlast::{
    AttrName, AttrValue, Entity as _, Filter, Key, Result, Status as _, Store, Stored,
    Subscription, Test, Window, WindowStatus,
};
use serde::Serialize;

use crate::commands::show;
use crate::context::Context;
use crate::failure::Outcome;
use crate::listing::{self, EntityView, Paging, Row, cell};
use crate::output::{moment, words};

/// List the joins and batches that are open, the newest first, or show one
///
/// With an ID the same as show --kind window ID. With --json: {"windows": [{"id", "version",
/// "updated_at", "status", "operation", "agent_name", "subscription", "subscription_index",
/// "fingerprint", "collected": {type: count}, "items_collected", "opened_at_seq", "created_at",
/// and where there is one "correlation_key", "types": [type], "required": {type: count},
/// "items_target", "window_ms", "window_count", "window_end", "finished_at", "dispatch": {"id",
/// "attempts", ...}, "error", and of an open one "state": {"elapsed_seconds", "urgency": safe,
/// caution, warning or critical, of a join "waiting_for": [type], "expires_in_seconds",
/// "expires_in_artifacts", "is_complete", "is_expired", of a batch "items_remaining",
/// "timeout_seconds", "timeout_remaining_seconds", "will_flush": on_size or on_timeout, ...}}],
/// "more": whether there are more after the last}.
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
    #[serde(flatten)]
    window: EntityView<'a, Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a WindowState>,
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
    let states = states(store, &found.items).await?;
    let views = found
        .items
        .iter()
        .map(|window| View { window: EntityView::of(window), state: states.get(window.id()) });
    let cells = |window: &Stored<Window>| cells(window, states.get(window.id()));
    listing::show(&found, &views.collect::<Vec<_>>(), cells, context)
}

/// What the open ones look like now, by id.
async fn states(
    store: &Store,
    windows: &[Stored<Window>],
) -> Result<BTreeMap<String, WindowState>> {
    let now = store.clock().now();
    let mut states = BTreeMap::new();
    for window in windows.iter().filter(|window| !window.status.is_settled()) {
        let seq = match window.window_count {
            Some(_) => matched(store, window).await?,
            None => 0,
        };
        states.insert(window.id().to_owned(), WindowState::of(window.id(), window, now, seq));
    }
    Ok(states)
}

/// How many artifacts matched the subscription of a window.
async fn matched(store: &Store, window: &Window) -> Result<u64> {
    let id = Window::group_of(&window.agent_name, &window.subscription);
    let found = store.get(&[Key::new(Subscription::KIND, id)?]).await?.pop();
    let record = found.map(outlast::Slot::live).transpose()?.flatten();
    let count = record.and_then(|record| {
        record.transient.get(&AttrName::new(Subscription::SEQUENCE).ok()?).cloned()
    });
    Ok(match count {
        Some(AttrValue::Int(count)) => u64::try_from(count).unwrap_or(0),
        // Nothing matched since it was opened, as far as anybody knows.
        _ => window.opened_at_seq,
    })
}

impl Row for Window {
    const MANY: &'static str = "windows";
    const HEADINGS: &'static [&'static str] =
        &["AGENT", "SUBSCRIPTION", "KEY", "ITEMS", "LEFT", "URGENCY", "ENDS", "DEADLINE"];
    const ORDER: Option<&'static str> = Some("created");
}

fn cells(window: &Stored<Window>, state: Option<&WindowState>) -> Vec<String> {
    vec![
        window.agent_name.clone(),
        window.subscription.clone(),
        cell(window.correlation_key.as_ref()),
        items(window),
        cell(state.and_then(left)),
        cell(state.map(|state| words(&state.common().urgency))),
        cell(state.map(ends)),
        cell(window.deadline().map(moment)),
    ]
}

/// How much time is left, or how many artifacts or items.
fn left(state: &WindowState) -> Option<String> {
    let (seconds, number) = match state {
        WindowState::Join(join) => {
            let artifacts = join.expires_in_artifacts.map(|left| format!("{left} artifacts"));
            (join.expires_in_seconds, artifacts)
        }
        WindowState::Batch(batch) => {
            let items = batch.items_remaining.map(|left| format!("{left} items"));
            (batch.timeout_remaining_seconds, items)
        }
    };
    let parts: Vec<_> = seconds.map(|left| format!("{left}s")).into_iter().chain(number).collect();
    Some(parts.join(", ")).filter(|left| !left.is_empty())
}

/// How it will end, if things go on as they did.
fn ends(state: &WindowState) -> String {
    match state {
        WindowState::Join(_) => "when complete".to_owned(),
        WindowState::Batch(batch) => words(&batch.will_flush),
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
