//! `outlast stats`: how much of what there is.

use clap::Args;
use outlast::statistics::{
    self, Health, HealthLimits, KindCount, Problem, RecoveryFigures, Statistics,
};
use outlast::tasks::RunState;
use outlast::{
    AgentStatus, CommandStatus, Kind, PipelineStatus, Result, Status, Store, TaskStatus, Timestamp,
    WindowStatus,
};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Table, moment, words};
use crate::runs;

/// Count what the store holds: entities by kind and status, work that waits, bytes, what is wrong
///
/// With --json: {"backend", "location", "store", "schema_version", "durability", "read_only",
/// "bytes", "free_bytes", "kinds": [{"kind", "space", "total", "by_status": {status: count}}],
/// "streams": [kind], "active_swarms", "active_agents", "total_sessions", "recent_audit_entries":
/// of the last hour, at most 10000, "backlog": tasks not settled, "unsettled": {"tasks", "agents",
/// "commands", "pipelines", "windows"}, "last_run": null or {"id", "file", "created_at", "tasks",
/// "outcome": completed, failed, interrupted or unfinished}, "last_recovery": null or {"at",
/// "duration_ms", "changed", "error_count", "quarantined"}, "problems": [{"severity": warning or
/// critical, "code", "message"}]}.
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
    kinds: Vec<KindCount>,
    streams: Vec<Kind>,
    active_swarms: u64,
    active_agents: u64,
    total_sessions: u64,
    recent_audit_entries: u64,
    backlog: u64,
    unsettled: Unsettled,
    last_run: Option<RunView>,
    last_recovery: Option<RecoveryFigures>,
    problems: Vec<Problem>,
}

/// How much of what is not over.
#[derive(Serialize)]
struct Unsettled {
    tasks: u64,
    agents: u64,
    commands: u64,
    pipelines: u64,
    windows: u64,
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
    let found = statistics::gather(store).await?;
    let Health { problems, .. } = statistics::health(store, &HealthLimits::default()).await;
    let unsettled = Unsettled {
        tasks: unsettled::<TaskStatus>(&found, "task"),
        agents: unsettled::<AgentStatus>(&found, "agent"),
        commands: unsettled::<CommandStatus>(&found, "command"),
        pipelines: unsettled::<PipelineStatus>(&found, "pipeline"),
        windows: unsettled::<WindowStatus>(&found, "window"),
    };
    Ok(View {
        backend: found.backend,
        location: info.location,
        store: info.store.to_string(),
        schema_version: found.schema_version,
        durability: found.durability.to_string(),
        read_only: info.read_only,
        bytes: found.bytes,
        free_bytes: found.free_bytes,
        kinds: found.kinds,
        streams: found.streams,
        active_swarms: found.active_swarms,
        active_agents: found.active_agents,
        total_sessions: found.total_sessions,
        recent_audit_entries: found.recent_audit_entries,
        backlog: unsettled.tasks,
        unsettled,
        last_run: last_run(store).await?,
        last_recovery: found.last_recovery,
        problems,
    })
}

/// How many entities of a kind are not over.
fn unsettled<S: Status>(found: &Statistics, kind: &str) -> u64 {
    let open = S::ALL.iter().filter(|status| !status.is_settled());
    open.map(|status| found.count(kind, status.as_str())).sum()
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
    let Unsettled { tasks, agents, commands, pipelines, windows } = &view.unsettled;
    out.line(&format!(
        "backlog   {tasks} tasks not settled, {agents} agents, {commands} commands, \
         {pipelines} pipelines, {windows} windows"
    ))?;
    let View { active_swarms, active_agents, total_sessions, recent_audit_entries, .. } = view;
    out.line(&format!(
        "activity  {active_swarms} active swarms, {active_agents} active agents, \
         {total_sessions} sessions, {recent_audit_entries} changes in the last hour"
    ))?;
    match &view.last_run {
        Some(RunView { id, file, created_at, tasks, outcome }) => {
            let at = moment(*created_at);
            out.line(&format!("last run  {id}, {file}, {at}, {tasks} tasks, {outcome}"))?;
        }
        None => out.line("last run  none")?,
    }
    match &view.last_recovery {
        Some(RecoveryFigures { at, changed, error_count, .. }) => {
            let at = moment(*at);
            out.line(&format!("recovery  {at}, {changed} changed, {error_count} problems"))?;
        }
        None => out.line("recovery  never")?,
    }
    for Problem { severity, message, .. } in &view.problems {
        out.line(&format!("{:<9} {message}", words(severity)))?;
    }
    out.line("")?;
    kinds(&view.kinds).print(out)
}

fn kinds(kinds: &[KindCount]) -> Table {
    let mut table = Table::new(&["KIND", "TOTAL", "BY STATUS"]);
    for kind in kinds {
        let counts = kind.by_status.iter().map(|(status, count)| format!("{count} {status}"));
        let counts: Vec<_> = counts.collect();
        table.row([kind.kind.to_string(), kind.total.to_string(), counts.join(", ")]);
    }
    table
}
