//! What recovery does with each state and policy, and with the processes of a dead runner.

use std::time::Duration;

use outlast_core::{
    Lease, ProcessIdentity, RecoveryPolicy, Run, SystemClock, Task, TaskSpec, TaskStatus, Timestamp,
};
use outlast_orchestrator::process::{
    Capture, FlushPolicy, Gated, Life, Running, Spec, identify, identify_self, life,
};
use outlast_orchestrator::tasks::{Outcome, Resumed, RunState, Runner, RunnerOptions, Shutdown};
use outlast_store::Store;

use crate::support::{eventually, output, shell, states, store, within};

fn dead(mut identity: ProcessIdentity) -> ProcessIdentity {
    identity.start_ticks += 1;
    identity
}

/// What a runner leaves behind that died while one task was in this state.
async fn leave(store: &Store, id: &str, spec: TaskSpec, change: impl FnOnce(&mut Task)) {
    let lease = Lease { holder: dead(identify_self().unwrap()), acquired_at: Timestamp::default() };
    store.kind::<Lease>().create("run", &lease).await.unwrap();
    let run = Run { file: "jobs.toml".into(), created_at: Timestamp::default(), task_count: 1 };
    store.kind::<Run>().create("0", &run).await.unwrap();
    let mut task = Task::new("0", spec, Timestamp::default());
    change(&mut task);
    store.kind::<Task>().create(id, &task).await.unwrap();
}

async fn resume(store: &Store) -> (Runner, Resumed) {
    let options = RunnerOptions { grace: Duration::from_millis(300), ..RunnerOptions::default() };
    let runner = Runner::acquire(store, options).await.unwrap();
    let resumed = within(runner.resume(None, &[])).await.unwrap();
    assert!(resumed.problems.is_empty(), "{:?}", resumed.problems);
    (runner, resumed)
}

struct Row {
    policy: RecoveryPolicy,
    max_attempts: Option<u32>,
    found: TaskStatus,
    outcome: Outcome,
    left: TaskStatus,
    attempts: usize,
}

fn table() -> Vec<Row> {
    use RecoveryPolicy as Policy;
    use TaskStatus::{Completed, Created, Failed, Idle, Interrupted, Running};

    let mut rows = Vec::new();
    for policy in [Policy::Restart, Policy::Interrupted, Policy::Failed] {
        let mut row = |found, max_attempts, outcome, left, attempts| {
            rows.push(Row { policy, max_attempts, found, outcome, left, attempts });
        };
        row(Created, None, Outcome::Requeued, Created, 1);
        for settled in [Completed, Failed, Interrupted] {
            row(settled, None, Outcome::Unchanged, settled, 1);
        }
        for found in [Running, Idle] {
            match policy {
                Policy::Restart => {
                    row(found, None, Outcome::Restarted, Interrupted, 2);
                    row(found, Some(2), Outcome::Restarted, Interrupted, 2);
                    row(found, Some(1), Outcome::MarkedInterrupted, Interrupted, 1);
                }
                Policy::Interrupted => row(found, None, Outcome::MarkedInterrupted, Interrupted, 1),
                Policy::Failed => row(found, None, Outcome::MarkedFailed, Failed, 1),
            }
        }
    }
    rows
}

#[tokio::test]
async fn each_state_is_recovered_by_the_policy_of_its_task() {
    for row in table() {
        let what = format!("{:?} {:?} {:?}", row.policy, row.max_attempts, row.found);
        let store = store().await;
        let mut spec = shell("one", "echo again");
        (spec.recovery, spec.max_attempts) = (row.policy, row.max_attempts);
        let process = dead(identify_self().unwrap());
        leave(&store, "1", spec, |task| {
            (task.status, task.process) = (row.found, Some(process));
        })
        .await;
        let (runner, resumed) = resume(&store).await;
        assert_eq!(resumed.recovered.len(), 1, "{what}");
        let one = &resumed.recovered[0];
        assert_eq!((one.found, one.outcome), (row.found, row.outcome), "{what}");
        assert!(one.stopped.is_empty(), "{what}");
        let old = store.kind::<Task>().get("1").await.unwrap();
        assert_eq!(old.status, row.left, "{what}");
        assert_eq!(old.exit_code, None, "{what}: how it ended is unknown");
        let all = store.kind::<Task>();
        let attempts = all.list(&all.query().unwrap()).await.unwrap().items;
        assert_eq!(attempts.len(), row.attempts, "{what}");
        check_newest(&store, &row, &what).await;
        check_second(&runner, &what).await;
    }
}

async fn check_newest(store: &Store, row: &Row, what: &str) {
    let state = RunState::newest(store).await.unwrap().unwrap();
    let newest = &state.tasks[0];
    if row.attempts == 2 {
        assert_eq!((newest.attempt, newest.status), (2, TaskStatus::Created), "{what}");
        assert_eq!(newest.retry_of.as_deref(), Some("1"), "{what}");
    }
    let marked = output(store, "1", "system").await;
    let is_marked = String::from_utf8(marked).unwrap().starts_with("recovered: ");
    let ran = matches!(row.found, TaskStatus::Running | TaskStatus::Idle);
    assert_eq!(is_marked, ran, "{what}: the output says where it breaks off");
}

/// A second resume right after changes nothing.
async fn check_second(runner: &Runner, what: &str) {
    let again = runner.resume(None, &[]).await.unwrap();
    for one in &again.recovered {
        assert!(matches!(one.outcome, Outcome::Unchanged | Outcome::Requeued), "{what}: {one:?}");
    }
}

/// A real process that carries the marker of a task, as one that outlived its runner does.
async fn survivor(id: &str, line: &str) -> (Running, ProcessIdentity) {
    let spec = Spec::new(id, outlast_core::CommandLine::Shell(line.into()));
    let (running, pipes) = Gated::spawn(&spec).unwrap().release().unwrap();
    let clock = std::sync::Arc::new(SystemClock::default());
    let (_, mut fragments) = Capture::start(pipes, FlushPolicy::default(), clock);
    within(fragments.next()).await.expect("it says that it is up");
    tokio::spawn(async move { while fragments.next().await.is_some() {} });
    let identity = running.identity().clone();
    (running, identity)
}

#[tokio::test]
async fn what_survived_its_runner_is_gone_before_the_task_is_tried_again() {
    for line in ["echo up; exec sleep 1000", "trap '' TERM; echo up; while :; do sleep 0.05; done"]
    {
        let store = store().await;
        let id = format!("survivor-{}-{}", std::process::id(), line.len());
        let (running, identity) = survivor(&id, line).await;
        let mut spec = shell("one", "echo again");
        spec.recovery = RecoveryPolicy::Restart;
        leave(&store, &id, spec, |task| {
            (task.status, task.process) = (TaskStatus::Running, Some(identity.clone()));
        })
        .await;
        let (runner, resumed) = resume(&store).await;
        assert_eq!(life(&identity), Life::Dead);
        assert!(resumed.recovered[0].stopped.contains(&identity.pid), "{resumed:?}");
        let state = within(runner.drive(&resumed.run, &Shutdown::default())).await.unwrap();
        assert_eq!(state.stats().completed, 1);
        assert_eq!(states(&store, &id).await, ["running", "interrupted"]);
        drop(running);
    }
}

#[tokio::test]
async fn survivors_are_stopped_side_by_side() {
    let store = store().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display().to_string();
    // Neither ends before the other was asked to, and nobody is killed within the hour. What the
    // trap starts would be asked to end as well, so it starts nothing.
    let line = |own: &str, other: &str| {
        format!(
            "trap ': > {place}/{own}' TERM; echo up; \
             until test -e {place}/{own} -a -e {place}/{other}; do sleep 0.02; done"
        )
    };
    let options = RunnerOptions { grace: Duration::from_hours(1), ..RunnerOptions::default() };
    let ids = ["a", "b"].map(|name| format!("beside-{name}-{}", std::process::id()));
    let mut running = Vec::new();
    for (id, line) in ids.iter().zip([line("a", "b"), line("b", "a")]) {
        let (process, identity) = survivor(id, &line).await;
        running.push(process);
        let mut task = Task::new("0", shell(id, ":"), Timestamp::default());
        (task.status, task.process) = (TaskStatus::Running, Some(identity));
        store.kind::<Task>().create(id, &task).await.unwrap();
    }
    let run = Run { file: "jobs.toml".into(), created_at: Timestamp::default(), task_count: 2 };
    store.kind::<Run>().create("0", &run).await.unwrap();
    let runner = Runner::acquire(&store, options).await.unwrap();
    let resumed = within(runner.resume(None, &[])).await.unwrap();
    let outcomes: Vec<_> = resumed.recovered.iter().map(|task| task.outcome).collect();
    assert_eq!(outcomes, [Outcome::MarkedInterrupted; 2]);
}

#[tokio::test]
async fn a_process_that_was_given_the_pid_later_is_not_touched() {
    let store = store().await;
    let mut bystander = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let stranger = identify(bystander.id()).unwrap();
    leave(&store, "recycled", shell("one", ":"), |task| {
        (task.status, task.process) = (TaskStatus::Running, Some(dead(stranger.clone())));
    })
    .await;
    let (_, resumed) = resume(&store).await;
    assert_eq!(resumed.recovered[0].outcome, Outcome::MarkedInterrupted);
    assert!(resumed.recovered[0].stopped.is_empty());
    assert_eq!(life(&stranger), Life::Alive);
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[tokio::test]
async fn the_note_of_a_second_recovery_continues_the_first() {
    let store = store().await;
    let mut spec = shell("one", ":");
    spec.recovery = RecoveryPolicy::Interrupted;
    leave(&store, "1", spec, |task| task.status = TaskStatus::Running).await;
    let entries = vec![outlast_core::NewEntry {
        at: None,
        attrs: [("stream", "system".into()), ("byte_offset", 0.into()), ("line_count", 1.into())]
            .map(|(name, value)| (outlast_core::AttrName::new(name).unwrap(), value))
            .into(),
        data: b"a note\n".to_vec(),
    }];
    let mut draft = store.draft();
    draft.append(outlast_core::Key::new("log", "1").unwrap(), entries);
    draft.commit().await.unwrap();
    resume(&store).await;
    eventually("note", async || {
        output(&store, "1", "system").await.starts_with(b"a note\nrecovered: ")
    })
    .await;
}
