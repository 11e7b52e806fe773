//! `outlast stats`: how much of what there is.

use std::collections::BTreeMap;

use clap::Args;
use outlast::tasks::RunState;
use outlast::{
    AttrName, AttrValue, Kind, Query, Result, Space, Status as _, Store, TaskStatus, Timestamp,
};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Table, moment};
use crate::runs;

/// Count what the store holds: entities by kind and status, work that waits, bytes, the last run
///
/// With --json: {"backend", "location", "store", "schema_version", "durability", "read_only",
/// "bytes", "free_bytes", "kinds": [{"kind", "space", "total", "by_status": {status: count}}],
/// "streams": [kind], "backlog": tasks not settled, "last_run": null or {"id", "file",
/// "created_at", "tasks", "outcome": completed, failed, interrupted or unfinished}}.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {}

#[derive(Serialize)]
struct View {
    backend: &'static str,
    location: String,
    store: String,
    schema_version: u32,
    durability: String,
    read_only: bool,
    bytes: u64,
    free_bytes: u64,
    kinds: Vec<KindView>,
    streams: Vec<Kind>,
    backlog: u64,
    last_run: Option<RunView>,
}

#[derive(Serialize)]
struct KindView {
    kind: Kind,
    space: Space,
    total: u64,
    by_status: BTreeMap<String, u64>,
}

#[derive(Serialize)]
struct RunView {
    id: String,
    file: String,
    created_at: Timestamp,
    tasks: u64,
    outcome: &'static str,
}

pub(crate) async fn run(_args: &StatsArgs, store: &Store, context: &mut Context) -> Outcome {
    let view = gather(store).await?;
    if context.out.is_json() {
        context.out.json(&view)?;
    } else {
        print(&mut context.out, &view)?;
    }
    Ok(Exit::Completed)
}

async fn gather(store: &Store) -> Result<View> {
    let info = store.info();
    let size = store.backend().size().await?;
    let held = store.backend().kinds().await?;
    let mut kinds = Vec::new();
    for (space, kind) in held.entities {
        kinds.push(count(store, space, kind).await?);
    }
    Ok(View {
        backend: info.name,
        location: info.location,
        store: info.store.to_string(),
        schema_version: info.schema_version,
        durability: info.durability.to_string(),
        read_only: info.read_only,
        bytes: size.bytes,
        free_bytes: size.free,
        backlog: backlog(&kinds),
        kinds,
        streams: held.streams.into_iter().collect(),
        last_run: last_run(store).await?,
    })
}

async fn count(store: &Store, space: Space, kind: Kind) -> Result<KindView> {
    let query = Query { space, ..Query::of(kind.clone()) };
    let counts = store.count(&query, &[AttrName::status()]).await?;
    let mut by_status = BTreeMap::new();
    for (group, count) in counts.groups {
        if let [Some(AttrValue::Text(status))] = group.as_slice() {
            by_status.insert(status.to_string(), count);
        }
    }
    Ok(KindView { kind, space, total: counts.total, by_status })
}

/// Tasks that are not over.
fn backlog(kinds: &[KindView]) -> u64 {
    let tasks = kinds.iter().filter(|kind| kind.kind.as_str() == "task");
    let counts = tasks.flat_map(|kind| &kind.by_status);
    let open = counts
        .filter(|(status, _)| TaskStatus::parse(status).is_ok_and(|status| !status.is_settled()));
    open.map(|(_, count)| count).sum()
}

async fn last_run(store: &Store) -> Result<Option<RunView>> {
    let Some(state) = RunState::newest(store).await? else { return Ok(None) };
    Ok(Some(RunView {
        id: state.run.id().to_owned(),
        file: state.run.file.clone(),
        created_at: state.run.created_at,
        tasks: state.run.task_count,
        outcome: runs::outcome(&state),
    }))
}

fn print(out: &mut Output, view: &View) -> Result<(), Failure> {
    let View { backend, location, schema_version, durability, bytes, free_bytes, .. } = view;
    out.line(&format!("store     {backend}, {location}, layout {schema_version}, {durability}"))?;
    out.line(&format!("size      {bytes} bytes, {free_bytes} of them free"))?;
    out.line(&format!("backlog   {} tasks not settled", view.backlog))?;
    match &view.last_run {
        Some(RunView { id, file, created_at, tasks, outcome }) => {
            let at = moment(*created_at);
            out.line(&format!("last run  {id}, {file}, {at}, {tasks} tasks, {outcome}"))?;
        }
        None => out.line("last run  none")?,
    }
    out.line("")?;
    let mut table = Table::new(&["KIND", "TOTAL", "BY STATUS"]);
    for kind in &view.kinds {
        let counts = kind.by_status.iter().map(|(status, count)| format!("{count} {status}"));
        let counts: Vec<_> = counts.collect();
        table.row([kind.kind.to_string(), kind.total.to_string(), counts.join(", ")]);
    }
    table.print(out)
}
