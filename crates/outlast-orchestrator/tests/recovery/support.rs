//! Stores that a process left behind: one entity for each cell of the table.

use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    Agent, AgentStatus, Claim, Clock, Command, CommandLine, CommandStatus, Entity, Event,
    HistoryQuery, Key, ManualClock, OnIdle, OpSpec, Page, Pipeline, PipelineRecovery,
    PipelineStatus, RecoveryPolicy, Run, Scope, Session, SessionStatus, Status, StreamQuery, Swarm,
    SwarmConfig, SwarmStatus, Task, TaskSpec, TaskStatus, Timestamp, Versioned, Window, WindowKind,
    WindowStatus,
};
use outlast_orchestrator::Instance;
use outlast_orchestrator::recovery::{RecoveryOptions, RecoveryReport, recover};
use outlast_store::Store;

use tempfile::TempDir;

use crate::timed::open_at;

pub(crate) const BACKENDS: [&str; 3] = ["memory", "sqlite", "sled"];

/// A store whose time stands still, and the folder it lies in.
pub(crate) struct Site {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) folder: TempDir,
}

/// A new store at some moment.
pub(crate) async fn site(backend: &str) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_700_000_000_000_000)));
    let store = open(backend, &folder, &clock).await;
    Site { store, clock, folder }
}

pub(crate) async fn open(backend: &str, folder: &TempDir, clock: &Arc<ManualClock>) -> Store {
    open_at(backend, &folder.path().join("store"), clock).await
}

pub(crate) async fn acquire(store: &Store) -> Instance {
    Instance::acquire(store, false).await.unwrap()
}

pub(crate) const HOUR: Duration = Duration::from_hours(1);

pub(crate) fn config() -> SwarmConfig {
    SwarmConfig {
        name: "writers".to_owned(),
        task: "write".to_owned(),
        initial_agents: 3,
        max_agents: 5,
        strategy: outlast_core::Strategy::Parallel,
        model: None,
        safety: None,
        metadata: None,
    }
}

pub(crate) fn swarm(status: SwarmStatus, now: Timestamp) -> Swarm {
    Swarm { status, ..Swarm::new(config(), now) }
}

pub(crate) fn agent(status: AgentStatus, now: Timestamp) -> Agent {
    Agent { status, ..Agent::new("opus", "write", now) }
}

pub(crate) fn command(status: CommandStatus, now: Timestamp) -> Command {
    Command { status, ..Command::new("h1", OpSpec::new("pull"), now) }
}

pub(crate) fn pipeline(status: PipelineStatus, now: Timestamp) -> Pipeline {
    Pipeline {
        status,
        name: "deploy".to_owned(),
        hosts: vec!["h1".to_owned(), "h2".to_owned()],
        stages: vec![OpSpec::new("pull"), OpSpec::new("switch"), OpSpec::new("test")],
        current_stage: 1,
        recovery: PipelineRecovery::Orphan,
        created_at: now,
        finished_at: None,
        error: None,
    }
}

pub(crate) fn task(status: TaskStatus, recovery: RecoveryPolicy, now: Timestamp) -> Task {
    let spec = TaskSpec {
        name: "build".to_owned(),
        command: CommandLine::Shell("true".to_owned()),
        cwd: None,
        env: std::collections::BTreeMap::new(),
        recovery,
        max_attempts: Some(2),
        idle_threshold_ms: 1000,
        on_idle: OnIdle::Mark,
    };
    Task { status, ..Task::new("run", spec, now) }
}

pub(crate) fn window(kind: WindowKind, status: WindowStatus, now: Timestamp) -> Window {
    Window {
        status,
        operation: kind,
        agent_name: "reviewer".to_owned(),
        subscription: "orders".to_owned(),
        subscription_index: 0,
        fingerprint: "f".to_owned(),
        correlation_key: (kind == WindowKind::Join).then(|| "\"7\"".to_owned()),
        types: vec!["a".to_owned(), "b".to_owned()],
        required: [("a".to_owned(), 1), ("b".to_owned(), 1)].into(),
        collected: [("a".to_owned(), 1)].into(),
        items_collected: 1,
        items_target: None,
        window_ms: Some(60_000),
        window_count: None,
        opened_at_seq: 1,
        created_at: now,
        window_end: Some(now.plus(Duration::from_mins(1))),
        finished_at: None,
        dispatch: None,
        error: None,
    }
}

pub(crate) async fn create<T: Entity>(store: &Store, id: &str, value: &T) {
    store.kind::<T>().create(id, value).await.unwrap();
}

/// The id of everything that [`place`] makes.
pub(crate) const IT: &str = "it";

/// Puts one entity of a kind in a state, with the swarm, claim and run that belong to it.
pub(crate) async fn place(site: &Site, kind: &str, state: &str) {
    let (store, now) = (&site.store, site.clock.now());
    match kind {
        "swarm" => create(store, IT, &swarm(parse(state), now)).await,
        "agent" => {
            let mut owner = swarm(SwarmStatus::Active, now);
            owner.metrics.total = 3;
            create(store, "owner", &owner).await;
            let mut agent = agent(parse(state), now);
            agent.swarm_id = Some("owner".to_owned());
            agent.next_retry_at = (agent.status == AgentStatus::Retrying).then(|| now.plus(HOUR));
            create(store, IT, &agent).await;
        }
        "session" => {
            let status: SessionStatus = parse(state);
            create(store, IT, &Session { status, ..Session::new("tree", "main", now) }).await;
        }
        "command" => {
            let mut command = command(parse(state), now);
            command.reconnect_by = Some(now.plus(HOUR));
            create(store, IT, &command).await;
            if !command.status.is_settled() && command.status != CommandStatus::Queued {
                claim(store, "host/h1", IT).await;
            }
        }
        "pipeline" => create(store, IT, &pipeline(parse(state), now)).await,
        "task" => {
            let run = Run { file: "jobs.toml".to_owned(), created_at: now, task_count: 1 };
            create(store, "run", &run).await;
            create(store, IT, &task(parse(state), RecoveryPolicy::Interrupted, now)).await;
        }
        "join" => create(store, IT, &window(WindowKind::Join, parse(state), now)).await,
        "batch" => create(store, IT, &window(WindowKind::Batch, parse(state), now)).await,
        other => panic!("nothing is known of {other}"),
    }
}

fn parse<S: Status>(state: &str) -> S {
    S::parse(state).unwrap()
}

pub(crate) async fn claim(store: &Store, id: &str, holder: &str) {
    let claim = Claim { holder: holder.to_owned(), claimed_at: store.clock().now() };
    create(store, id, &claim).await;
}

/// The state and the version number of what [`place`] made.
pub(crate) async fn found(store: &Store, kind: &str) -> (String, u64) {
    let stored_kind = if matches!(kind, "join" | "batch") { "window" } else { kind };
    let key = Key::new(stored_kind, IT).unwrap();
    let record = store.get(&[key]).await.unwrap().remove(0).live().unwrap().unwrap();
    let state = record.attrs[&outlast_core::AttrName::status()].to_string();
    (state, record.version.n)
}

/// Every version there is, in order.
pub(crate) async fn versions(store: &Store) -> Vec<Versioned> {
    let mut query = HistoryQuery { page: Page::first(1000), ..HistoryQuery::of(Scope::All(None)) };
    let mut versions = Vec::new();
    loop {
        let page = store.history(&query).await.unwrap();
        versions.extend(page.items.into_iter().map(Result::unwrap));
        let Some(next) = page.next else { return versions };
        query.page = query.page.after(next);
    }
}

/// The event log.
pub(crate) async fn events(store: &Store) -> Vec<Event> {
    let query = StreamQuery { page: Page::first(1000), ..StreamQuery::of(Event::log().unwrap()) };
    let page = store.read(&query).await.unwrap();
    assert!(page.next.is_none());
    page.items
        .into_iter()
        .map(|entry| serde_json::from_slice(&entry.unwrap().data).unwrap())
        .collect()
}

/// What the store says it is now: the last revision there is.
pub(crate) async fn revision(store: &Store) -> u64 {
    versions(store).await.iter().map(|version| version.revision.0).max().unwrap_or(0)
}

/// What a recovery does by the defaults.
pub(crate) async fn recovered(site: &Site) -> RecoveryReport {
    let instance = acquire(&site.store).await;
    recover(&instance, &RecoveryOptions::default()).await.unwrap()
}

/// The keys that were written together with this one, the last time it was.
pub(crate) async fn together(store: &Store, kind: &str, id: &str) -> Vec<String> {
    let versions = versions(store).await;
    let key = Key::new(kind, id).unwrap();
    let last = versions.iter().rfind(|version| version.key == key).unwrap().revision;
    let same = versions.iter().filter(|version| version.revision == last);
    same.map(|version| version.key.to_string()).collect()
}
