//! A store with something of every kind.

use std::collections::BTreeMap;

use outlast::{
    Actor, Agent, AgentStatus, Artifact, AttrName, AttrValue, Attributes, Budget, Cause, Claim,
    Command, CommandStatus, Entity, Event, EventCategory, EventLevel, Host, HostStatus, Key,
    NoStatus, OpSpec, Pipeline, PipelineRecovery, PipelineStatus, Session, StageOutcome,
    StageStatus, Store, Swarm, SwarmConfig, SwarmStatus, Window, WindowItem, WindowKind,
    WindowStatus,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::bench::{Bench, at, two_runs};

pub(crate) const STORES: [&str; 2] = ["sqlite:state.db", "sled:state"];

/// A kind the program does not know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) text: String,
    pub(crate) at: outlast::Timestamp,
}

impl Entity for Note {
    type Status = NoStatus;
    const KIND: &'static str = "note";
}

/// Each store with the world in it, as the one that is configured.
pub(crate) fn on_each(check: impl Fn(&Bench)) {
    for url in STORES {
        let bench = Bench::new();
        bench.fill(url, world);
        bench.write("outlast.toml", format!("db = \"{url}\"\n"));
        check(&bench);
    }
}

/// Two runs, and of every other kind something.
pub(crate) async fn world(store: &Store) {
    two_runs(store).await;
    swarms(store).await;
    fleet(store).await;
    windows(store).await;
    events(store).await;
    store.kind::<Note>().create("n-1", &Note { text: "one".into(), at: at(0) }).await.unwrap();
    // The same id as an agent has.
    store.kind::<Note>().create("a-1", &Note { text: "two".into(), at: at(0) }).await.unwrap();
}

async fn swarms(store: &Store) {
    let swarms = store.kind::<Swarm>();
    for (n, id, name) in [(1, "s-1", "crew"), (2, "s-2", "spare")] {
        let mut swarm = Swarm::new(SwarmConfig::new(name, "paint", 5), at(n));
        swarm.metrics.total = 2;
        swarm.metrics.failed = 1;
        let currency = "EUR".to_owned();
        swarm.budget = (n == 1).then_some(Budget {
            allocated: 1000,
            consumed: 250,
            currency,
            warning_percent: None,
            critical_percent: None,
        });
        swarms.create(id, &swarm).await.unwrap();
        let ann = Cause::by(Actor::User(outlast::Id::new("ann").unwrap())).because("begin");
        swarms.with_cause(ann).transition(id, SwarmStatus::Active).await.unwrap();
    }
    swarms.transition("s-2", SwarmStatus::Paused).await.unwrap();
    let agents = store.kind::<Agent>();
    let states = [
        ("a-1", Some("s-1"), AgentStatus::Running),
        ("a-2", Some("s-1"), AgentStatus::Failed),
        ("a-3", None, AgentStatus::Pending),
    ];
    for (n, (id, swarm, status)) in (1..).zip(states) {
        let mut agent = Agent::new("small", format!("task {n}"), at(n));
        agent.swarm_id = swarm.map(str::to_owned);
        agent.status = status;
        agents.create(id, &agent).await.unwrap();
    }
    let mut session = Session::new("tree-1", "main", at(1));
    session.swarm_id = Some("s-1".to_owned());
    store.kind::<Session>().create("e-1", &session).await.unwrap();
}

async fn fleet(store: &Store) {
    let hosts = store.kind::<Host>();
    for (id, name, status) in
        [("h-1", "web", HostStatus::Online), ("h-2", "db", HostStatus::Offline)]
    {
        let host = Host { status, ..Host::new(name, at(0)) };
        hosts.create(id, &host).await.unwrap();
        claim(store, &format!("hostname/{name}"), id).await;
    }
    let seen = AttrName::new(Host::LAST_SEEN).unwrap();
    hosts.touch("h-1", Attributes::from([(seen, AttrValue::from(at(5)))])).await.unwrap();
    let pipeline = Pipeline {
        status: PipelineStatus::Running,
        name: "deploy".to_owned(),
        hosts: vec!["h-1".to_owned(), "h-2".to_owned()],
        stages: vec![OpSpec::new("pull"), OpSpec::new("switch")],
        current_stage: 1,
        recovery: PipelineRecovery::Orphan,
        created_at: at(1),
        finished_at: None,
        error: None,
    };
    store.kind::<Pipeline>().create("p-1", &pipeline).await.unwrap();
    let states = [
        ("c-1", "h-1", "pull", CommandStatus::Success, Some(0)),
        ("c-2", "h-1", "switch", CommandStatus::Executing, None),
        ("c-3", "h-2", "pull", CommandStatus::Orphaned, None),
    ];
    for (n, (id, host, op, status, exit_code)) in (1..).zip(states) {
        let mut command = Command::new(host, OpSpec::new(op), at(n));
        command.status = status;
        command.pipeline_id = Some("p-1".to_owned());
        command.stage = Some(u32::from(op == "switch"));
        command.started_at = Some(at(n));
        command.finished_at = status_is_over(status).then(|| at(n + 61));
        command.exit_code = exit_code;
        store.kind::<Command>().create(id, &command).await.unwrap();
    }
    let outcomes = [
        (0, "h-1", StageStatus::Success, Some(0)),
        (0, "h-2", StageStatus::Failed, Some(7)),
        (1, "h-1", StageStatus::Running, None),
        (1, "h-2", StageStatus::Skipped, None),
    ];
    for (stage, host, status, exit_code) in outcomes {
        let outcome = StageOutcome {
            status,
            pipeline_id: "p-1".to_owned(),
            stage,
            op: pipeline.stages[stage as usize].op.clone(),
            host_id: host.to_owned(),
            command_id: None,
            started_at: None,
            finished_at: None,
            exit_code,
            error: None,
        };
        let id = StageOutcome::id_of("p-1", stage, host);
        store.kind::<StageOutcome>().create(&id, &outcome).await.unwrap();
    }
    claim(store, "host/h-1", "c-2").await;
    output_of(store, "c-1", b"pulled\n").await;
}

async fn claim(store: &Store, name: &str, holder: &str) {
    let claim = Claim { holder: holder.to_owned(), claimed_at: at(0) };
    store.kind::<Claim>().create(name, &claim).await.unwrap();
}

fn status_is_over(status: CommandStatus) -> bool {
    use outlast::Status as _;
    status.is_settled()
}

/// Adds to what a command wrote.
pub(crate) async fn output_of(store: &Store, id: &str, data: &[u8]) {
    let mut draft = store.draft();
    let attrs = Attributes::from([
        (AttrName::new("stream").unwrap(), AttrValue::from("stdout")),
        (AttrName::new("byte_offset").unwrap(), AttrValue::Int(0)),
    ]);
    let entry = outlast::NewEntry { at: Some(at(2)), attrs, data: data.to_vec() };
    draft.append(Key::new(Command::LOG, id).unwrap(), vec![entry]);
    draft.commit().await.unwrap();
}

async fn windows(store: &Store) {
    let artifact = Artifact::new("order", json!({"id": 7}), at(1));
    store.kind::<Artifact>().create("r-1", &artifact).await.unwrap();
    let windows = store.kind::<Window>();
    let open = window("join", at(1));
    windows.create("w-1", &open).await.unwrap();
    let mut over = window("batch", at(2));
    over.status = WindowStatus::Flushed;
    over.finished_at = Some(at(3));
    windows.create("w-2", &over).await.unwrap();
    let item = WindowItem {
        window_id: "w-1".to_owned(),
        place: 1,
        seq: 1,
        artifact_ids: vec!["r-1".to_owned()],
        type_name: "order".to_owned(),
        added_at: at(1),
    };
    store.kind::<WindowItem>().create("w-1/1", &item).await.unwrap();
}

/// A join or a batch that waits, and has the first of its artifacts.
pub(crate) fn window(operation: &str, now: outlast::Timestamp) -> Window {
    let is_join = operation == "join";
    let counts = |count| BTreeMap::from([("order".to_owned(), count)]);
    Window {
        status: WindowStatus::Waiting,
        operation: if is_join { WindowKind::Join } else { WindowKind::Batch },
        agent_name: "packer".to_owned(),
        subscription: operation.to_owned(),
        subscription_index: 0,
        fingerprint: "f".to_owned(),
        correlation_key: is_join.then(|| "7".to_owned()),
        types: vec!["order".to_owned()],
        required: if is_join { counts(2) } else { BTreeMap::new() },
        collected: counts(1),
        items_collected: 1,
        items_target: (!is_join).then_some(3),
        window_ms: Some(1000),
        window_count: None,
        opened_at_seq: 1,
        created_at: now,
        // Far away, so that time changes nothing while a test runs.
        window_end: Some(at(5_000_000_000)),
        finished_at: None,
        dispatch: None,
        error: None,
    }
}

async fn events(store: &Store) {
    use EventCategory::{Audit, Error, System};

    let swarm = Key::new("swarm", "s-1").unwrap();
    let told = [
        Event::new(Audit, EventLevel::Info, "swarm crew was created").about(swarm.clone()),
        Event::new(System, EventLevel::Warn, "agent was slow").about(swarm).by(Actor::System),
        Event::new(Error, EventLevel::Error, "host web is gone").on("h-1").called("connect"),
    ];
    for event in told {
        let mut draft = store.draft();
        draft.report(&event).unwrap();
        draft.commit().await.unwrap();
    }
}
