//! What is found of references that do not hold, on every backend.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/opened.rs"]
mod opened;

use opened::{BACKENDS, open};
use outlast_core::{
    Agent, AgentStatus, Claim, Command, CommandLine, CommandStatus, Host, OnIdle, OpSpec,
    RecoveryPolicy, Run, StageOutcome, StageStatus, Swarm, SwarmConfig, Task, TaskSpec, TaskStatus,
    Timestamp,
};
use outlast_orchestrator::references::{References, check};
use outlast_store::Store;
use tempfile::TempDir;

fn now() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

async fn swarm(store: &Store, id: &str) {
    let config = SwarmConfig {
        name: id.to_owned(),
        task: "read".to_owned(),
        initial_agents: 1,
        max_agents: 2,
        strategy: outlast_core::Strategy::Parallel,
        model: None,
        safety: None,
        metadata: None,
    };
    store.kind::<Swarm>().create(id, &Swarm::new(config, now())).await.unwrap();
}

async fn agent(store: &Store, id: &str, swarm: &str, status: AgentStatus) {
    let mut agent = Agent { status, ..Agent::new("large", "read", now()) };
    agent.swarm_id = Some(swarm.to_owned());
    store.kind::<Agent>().create(id, &agent).await.unwrap();
}

async fn command(store: &Store, id: &str, host: &str, status: CommandStatus) {
    let command = Command { status, ..Command::new(host, OpSpec::new("pull"), now()) };
    store.kind::<Command>().create(id, &command).await.unwrap();
}

async fn claim(store: &Store, id: &str, holder: &str) {
    let claim = Claim { holder: holder.to_owned(), claimed_at: now() };
    store.kind::<Claim>().create(id, &claim).await.unwrap();
}

fn texts(found: &References) -> Vec<String> {
    found.examples.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn references_that_hold_are_counted_and_nothing_is_said() {
    for backend in BACKENDS {
        let dir = TempDir::new().unwrap();
        let store = open(backend, &dir.path().join("state")).await;
        assert_eq!(check(&store).await.unwrap(), References::default(), "{backend}");
        swarm(&store, "s").await;
        agent(&store, "a", "s", AgentStatus::Running).await;
        store.kind::<Host>().create("h", &Host::new("alpha", now())).await.unwrap();
        claim(&store, "hostname/alpha", "h").await;
        command(&store, "c", "h", CommandStatus::Executing).await;
        claim(&store, "host/h", "c").await;
        claim(&store, "somebody/elses", "x").await;
        let found = check(&store).await.unwrap();
        assert_eq!((found.checked, found.dangling), (5, 0), "{backend}: {:?}", texts(&found));
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_settled_has_to_find_what_it_names() {
    for backend in BACKENDS {
        let dir = TempDir::new().unwrap();
        let store = open(backend, &dir.path().join("state")).await;
        agent(&store, "working", "gone", AgentStatus::Running).await;
        agent(&store, "done", "gone", AgentStatus::Completed).await;
        command(&store, "waiting", "gone", CommandStatus::Queued).await;
        let outcome = StageOutcome {
            status: StageStatus::Success,
            pipeline_id: "p".to_owned(),
            stage: 0,
            op: "pull".to_owned(),
            host_id: "h".to_owned(),
            command_id: None,
            started_at: None,
            finished_at: None,
            exit_code: None,
            error: None,
        };
        store.kind::<StageOutcome>().create("p/0/h", &outcome).await.unwrap();
        let found = check(&store).await.unwrap();
        let expected = [
            "agent/working: its swarm_id names swarm/gone, which does not exist",
            "command/waiting: its host_id names host/gone, which does not exist",
            "stage_outcome/p/0/h: its pipeline_id names pipeline/p, which does not exist",
        ];
        assert_eq!(texts(&found), expected, "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_deleted_parent_is_as_gone_as_one_that_never_was() {
    for backend in BACKENDS {
        let dir = TempDir::new().unwrap();
        let store = open(backend, &dir.path().join("state")).await;
        swarm(&store, "s").await;
        agent(&store, "a", "s", AgentStatus::Paused).await;
        let swarms = store.kind::<Swarm>();
        swarms.delete(&swarms.get("s").await.unwrap()).await.unwrap();
        assert_eq!(check(&store).await.unwrap().dangling, 1, "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_retention_was_cut_off_at_is_no_finding() {
    for backend in BACKENDS {
        let dir = TempDir::new().unwrap();
        let store = open(backend, &dir.path().join("state")).await;
        let run = Run { file: "jobs.toml".to_owned(), created_at: now(), task_count: 2 };
        store.kind::<Run>().create("r", &run).await.unwrap();
        for (id, status) in [("over", TaskStatus::Completed), ("waiting", TaskStatus::Created)] {
            let spec = TaskSpec {
                name: id.to_owned(),
                command: CommandLine::Shell("true".to_owned()),
                cwd: None,
                env: std::collections::BTreeMap::new(),
                recovery: RecoveryPolicy::Interrupted,
                max_attempts: None,
                idle_threshold_ms: 1000,
                on_idle: OnIdle::Mark,
            };
            let task = Task { status, ..Task::new("r", spec, now()) };
            store.kind::<Task>().create(id, &task).await.unwrap();
        }
        let runs = store.kind::<Run>();
        runs.delete(&runs.get("r").await.unwrap()).await.unwrap();
        let found = check(&store).await.unwrap();
        let expected = ["task/waiting: its run_id names run/r, which does not exist"];
        assert_eq!(texts(&found), expected, "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn claims_and_their_holders_belong_together() {
    for backend in BACKENDS {
        let dir = TempDir::new().unwrap();
        let store = open(backend, &dir.path().join("state")).await;
        for host in ["h", "i"] {
            store.kind::<Host>().create(host, &Host::new(host, now())).await.unwrap();
        }
        command(&store, "over", "h", CommandStatus::Success).await;
        claim(&store, "host/h", "over").await;
        command(&store, "running", "i", CommandStatus::Executing).await;
        claim(&store, "hostname/other", "i").await;
        let found = check(&store).await.unwrap();
        let expected = [
            "claim/host/h: is held by over, which does not have or need it",
            "claim/hostname/other: is held by i, which does not have or need it",
            "command/running: is executing without holding claim/host/i",
        ];
        assert_eq!(texts(&found), expected, "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn more_than_a_page_is_walked_and_examples_are_bounded() {
    let store = opened::memory();
    for n in 0..1100 {
        agent(&store, &format!("a{n}"), "gone", AgentStatus::Pending).await;
    }
    let found = check(&store).await.unwrap();
    assert_eq!((found.checked, found.dangling, found.examples.len()), (1100, 1100, 1000));
}
