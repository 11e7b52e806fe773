//! Random sequences of crashes, shutdowns and resumptions, after which everything is as it should.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use outlast_core::{Lease, RecoveryPolicy, Status, Task, TaskStatus};
use outlast_orchestrator::process::{Life, identify_self, life};
use outlast_orchestrator::tasks::{
    Outcome, RunState, Runner, RunnerOptions, Shutdown, TaskFile, Transitions,
};
use outlast_store::{Store, StoreOptions, Stored};

use crate::support::{eventually, file, output, shell, store, within};

const TASKS: usize = 5;

/// Tasks that note their beginning and end.
fn tasks(folder: &Path) -> TaskFile {
    let place = folder.display();
    let tasks = (0..TASKS).map(|n| {
        let line =
            format!("echo {n} >> {place}/began; echo out; sleep 0.03; echo {n} >> {place}/ended");
        let mut task = shell(&n.to_string(), &line);
        task.recovery = RecoveryPolicy::Restart;
        task
    });
    file(tasks.collect())
}

fn noted(folder: &Path, file: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for line in std::fs::read_to_string(folder.join(file)).unwrap_or_default().lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

/// Makes the present holder of the lease one that is dead.
async fn die(store: &Store) {
    let mut dead = identify_self().unwrap();
    dead.start_ticks += 1;
    let leases = store.kind::<Lease>();
    let lease = leases.get("run").await.unwrap();
    let next = Lease { holder: dead, ..(*lease).clone() };
    leases.replace(&lease, next).await.unwrap();
}

async fn attempts(store: &Store) -> Vec<Stored<Task>> {
    let tasks = store.kind::<Task>();
    let all = tasks.list(&tasks.query().unwrap()).await.unwrap().items;
    all.into_iter().map(Result::unwrap).collect()
}

/// One life of a runner, which crashes, is shut down, or gets to the end; true if it did.
///
/// Each has a handle of its own on what is kept, as a process has: what a dead one handed over and
/// could not write is told to nobody else.
async fn live(kept: &Store, file: &TaskFile, random: &mut fastrand::Rng) -> bool {
    let store = &Store::open(kept.backend().clone(), StoreOptions::default());
    let transitions = if random.bool() { Transitions::Strict } else { Transitions::Enqueued };
    let options = RunnerOptions { max_concurrent: 2, transitions, ..RunnerOptions::default() };
    let runner = Runner::acquire(store, options).await.unwrap();
    let resumed = runner.resume(Some(file), &[TaskStatus::Interrupted]).await.unwrap();
    assert!(resumed.problems.is_empty(), "{:?}", resumed.problems);
    let again = runner.resume(Some(file), &[]).await.unwrap();
    let unchanged = |outcome| matches!(outcome, Outcome::Unchanged | Outcome::Requeued);
    assert!(again.recovered.iter().all(|task| unchanged(task.outcome)), "{again:?}");
    let shutdown = Shutdown::default();
    let pause = Duration::from_micros(random.u64(0..150_000));
    let crash = random.bool();
    let driven = within(async {
        tokio::select! {
            state = runner.drive(&resumed.run, &shutdown) => Some(state.unwrap()),
            () = async {
                tokio::time::sleep(pause).await;
                if !crash {
                    shutdown.begin();
                    std::future::pending::<()>().await;
                }
            } => None,
        }
    })
    .await;
    let Some(state) = driven else {
        die(kept).await;
        return false;
    };
    runner.release().await.unwrap();
    state.stats().completed == TASKS as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_each_task_completes_once() {
    let seed =
        std::env::var("OUTLAST_SEED").map_or_else(|_| fastrand::u64(..), |s| s.parse().unwrap());
    println!("seed {seed}: replay with OUTLAST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let (store, file) = (store().await, tasks(folder.path()));
        let mut lives = 0;
        while !live(&store, &file, &mut random).await {
            lives += 1;
            assert!(lives < 200, "it never gets to the end");
        }
        check(&store, folder.path()).await;
    }
}

async fn check(store: &Store, folder: &Path) {
    let attempts = attempts(store).await;
    for attempt in &attempts {
        assert!(attempt.status.is_settled(), "{attempt:?}");
        if let Some(process) = &attempt.process {
            eventually("dead", async || life(process) == Life::Dead).await;
        }
        if attempt.status == TaskStatus::Completed {
            assert_eq!(output(store, attempt.id(), "stdout").await, b"out\n");
        }
    }
    let is_completed = |task: &&Stored<Task>| task.status == TaskStatus::Completed;
    assert_eq!(attempts.iter().filter(is_completed).count(), TASKS);
    let state = RunState::newest(store).await.unwrap().unwrap();
    let (began, ended) = (noted(folder, "began"), noted(folder, "ended"));
    for task in &state.tasks {
        let (name, tries) = (&task.spec.name, usize::try_from(task.attempt).unwrap());
        assert_eq!(task.status, TaskStatus::Completed);
        assert!(began[name] <= tries, "{name} began more often than it was tried");
        assert!(ended[name] >= 1 && ended[name] <= began[name]);
    }
}
