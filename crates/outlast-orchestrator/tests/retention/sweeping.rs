//! Stores with entities of every kind, and sweepers over them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    Agent, AgentStatus, Artifact, Claim, Command, CommandStatus, Consumption, Entity, Event,
    EventCategory, EventLevel, Key, ManualClock, NewEntry, OpSpec, Pipeline, PipelineRecovery,
    PipelineStatus, Session, SessionStatus, StageOutcome, StageStatus, Strategy, Swarm,
    SwarmConfig, SwarmStatus, Timestamp, Window, WindowItem, WindowKind, WindowStatus,
};
use outlast_orchestrator::retention::{Policies, Sweep, Sweeper};
use outlast_store::Store;
use tempfile::TempDir;

use crate::support::{completed, now, record};
use crate::timed::open_at;

/// A store whose time stands still at the present of these tests.
pub(crate) struct Site {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) folder: TempDir,
}

pub(crate) async fn site(backend: &str) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(now()));
    let store = open_at(backend, &folder.path().join("store"), &clock).await;
    Site { store, clock, folder }
}

impl Site {
    /// Does something at a moment of the past; time is at the present again afterwards.
    pub(crate) async fn back_then(&self, ago: Duration, what: impl Future<Output = ()>) {
        self.clock.jump_to(now().minus(ago));
        what.await;
        self.clock.jump_to(now());
    }
}

pub(crate) async fn create<T: Entity>(store: &Store, id: &str, value: &T) {
    store.kind::<T>().create(id, value).await.unwrap();
}

pub(crate) fn swarm(status: SwarmStatus, at: Timestamp) -> Swarm {
    let config = SwarmConfig {
        name: "writers".to_owned(),
        task: "write".to_owned(),
        initial_agents: 1,
        max_agents: 5,
        strategy: Strategy::Parallel,
        model: None,
        safety: None,
        metadata: None,
    };
    Swarm { status, completed_at: Some(at), ..Swarm::new(config, at) }
}

pub(crate) fn agent(status: AgentStatus, swarm: Option<&str>, at: Timestamp) -> Agent {
    let swarm_id = swarm.map(str::to_owned);
    Agent { status, swarm_id, completed_at: Some(at), ..Agent::new("opus", "write", at) }
}

pub(crate) fn session(status: SessionStatus, at: Timestamp) -> Session {
    Session { status, closed_at: Some(at), ..Session::new("tree", "main", at) }
}

pub(crate) fn command(status: CommandStatus, pipeline: Option<&str>, at: Timestamp) -> Command {
    let pipeline_id = pipeline.map(str::to_owned);
    let spec = OpSpec::new("pull");
    Command { status, pipeline_id, finished_at: Some(at), ..Command::new("h1", spec, at) }
}

pub(crate) fn pipeline(status: PipelineStatus, at: Timestamp) -> Pipeline {
    Pipeline {
        status,
        name: "deploy".to_owned(),
        hosts: vec!["h1".to_owned()],
        stages: vec![OpSpec::new("pull")],
        current_stage: 0,
        recovery: PipelineRecovery::Orphan,
        created_at: at,
        finished_at: Some(at),
        error: None,
    }
}

pub(crate) fn stage(pipeline_id: &str, at: Timestamp) -> StageOutcome {
    StageOutcome {
        status: StageStatus::Success,
        pipeline_id: pipeline_id.to_owned(),
        stage: 0,
        op: "pull".to_owned(),
        host_id: "h1".to_owned(),
        command_id: None,
        started_at: Some(at),
        finished_at: Some(at),
        exit_code: Some(0),
        error: None,
    }
}

pub(crate) fn window(status: WindowStatus, at: Timestamp) -> Window {
    Window {
        status,
        operation: WindowKind::Batch,
        agent_name: "reviewer".to_owned(),
        subscription: "orders".to_owned(),
        subscription_index: 0,
        fingerprint: "f".to_owned(),
        correlation_key: None,
        types: Vec::new(),
        required: BTreeMap::new(),
        collected: BTreeMap::new(),
        items_collected: 1,
        items_target: Some(2),
        window_ms: None,
        window_count: None,
        opened_at_seq: 1,
        created_at: at,
        window_end: None,
        finished_at: Some(at),
        dispatch: None,
        error: None,
    }
}

pub(crate) fn item(window_id: &str, artifact: &str, at: Timestamp) -> WindowItem {
    WindowItem {
        window_id: window_id.to_owned(),
        place: 1,
        seq: 1,
        artifact_ids: vec![artifact.to_owned()],
        type_name: "order".to_owned(),
        added_at: at,
    }
}

pub(crate) fn consumption(artifact: &str, at: Timestamp) -> Consumption {
    Consumption {
        artifact_id: artifact.to_owned(),
        consumer: "reviewer".to_owned(),
        subscription: None,
        run_id: None,
        correlation_id: None,
        consumed_at: at,
    }
}

pub(crate) fn artifact(at: Timestamp) -> Artifact {
    Artifact::new("order", serde_json::json!({ "id": 7 }), at)
}

pub(crate) async fn event(store: &Store, message: &str) {
    let event = Event::new(EventCategory::Ops, EventLevel::Info, message);
    let mut draft = store.draft();
    draft.report(&event).unwrap();
    draft.commit().await.unwrap();
}

pub(crate) async fn output(store: &Store, kind: &str, id: &str, entries: usize) {
    for _ in 0..entries {
        let line =
            NewEntry { at: None, attrs: outlast_core::Attributes::new(), data: vec![b'x'; 10] };
        let mut draft = store.draft();
        draft.append(Key::new(kind, id).unwrap(), vec![line]);
        draft.commit().await.unwrap();
    }
}

/// One of each that was over so long ago, all with ids that begin like this.
pub(crate) async fn fill(site: &Site, id: &str, ago: Duration) {
    let at = now().minus(ago);
    let name = |what: &str| format!("{id}-{what}");
    site.back_then(ago, async {
        let store = &site.store;
        create(store, &name("swarm"), &swarm(SwarmStatus::Completed, at)).await;
        let of = name("swarm");
        create(store, &name("agent"), &agent(AgentStatus::Completed, Some(&of), at)).await;
        create(store, &name("session"), &session(SessionStatus::Closed, at)).await;
        let of = name("pipeline");
        create(store, &of, &pipeline(PipelineStatus::Complete, at)).await;
        create(store, &name("stage"), &stage(&of, at)).await;
        let command = command(CommandStatus::Success, Some(&of), at);
        create(store, &name("command"), &command).await;
        output(store, Command::LOG, &name("command"), 3).await;
        let of = name("window");
        create(store, &of, &window(WindowStatus::Flushed, at)).await;
        create(store, &name("artifact"), &artifact(at)).await;
        create(store, &name("item"), &item(&of, &name("artifact"), at)).await;
        create(store, &name("consumption"), &consumption(&name("artifact"), at)).await;
        event(store, id).await;
    })
    .await;
    let days = u32::try_from(ago.as_secs() / 86400).unwrap();
    record(&site.store, &name("run"), 1, &[completed("task", days)]).await;
}

pub(crate) async fn claim(store: &Store, id: &str, holder: &str) {
    let claim = Claim { holder: holder.to_owned(), claimed_at: now() };
    create(store, id, &claim).await;
}

pub(crate) fn sweeper(site: &Site) -> Sweeper {
    Sweeper::new(&site.store, Policies::default())
}

/// What was removed: kind and count.
pub(crate) fn counts(sweep: &Sweep) -> Vec<(&str, u64)> {
    assert_eq!(sweep.unreadable, 0, "{:?}", sweep.problems);
    sweep.removed.iter().map(|(kind, tally)| (kind.as_str(), tally.count)).collect()
}
