//! An orchestrator that ends after each of its commits in turn, and what the next one makes of it.
//!
//! From one commit on the store refuses everything, so what is recorded is what an orchestrator
//! leaves that ends there. Then the store is opened again, and the pipeline driven to its end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use outlast_core::{
    Backend, Error, ErrorKind, OpSpec, PipelineRecovery, PipelineStatus, StageStatus,
};
use outlast_orchestrator::Shutdown;
use outlast_orchestrator::fleet::pipeline::{
    ConductorOptions, Definition, PipelineState, Pipelines,
};
use outlast_store::{Store, StoreOptions};

use crate::hooked::Hooked;
use crate::opened::{BACKENDS, open};
use crate::support::{
    self, STAGES, assert_tidy, conductor, drive, lose_driver, register, table, told, within,
};
use crate::world::{Act, World};

/// More commits than a drive of the pipeline makes.
const MANY: i64 = 200;

/// A store that refuses every write once its budget is spent.
fn mortal(inner: Arc<dyn Backend>, budget: &Arc<AtomicI64>) -> Store {
    let budget = budget.clone();
    let hooked =
        Hooked::new((inner, None), move |_| match budget.fetch_sub(1, Ordering::Relaxed) {
            1.. => Ok(()),
            _ => Err(Error::unavailable("the orchestrator has ended")),
        });
    Store::open(Arc::new(hooked), StoreOptions::default())
}

/// What of the pipeline succeeded, and how often it has begun.
fn done(state: &PipelineState, world: &World) -> BTreeMap<(String, String), usize> {
    let done = state.outcomes().filter(|outcome| outcome.status == StageStatus::Success);
    let named = done.map(|outcome| (outcome.op.clone(), outcome.host_id.clone()));
    named.map(|(op, host)| ((op.clone(), host.clone()), world.times(&op, &host))).collect()
}

/// The same files, opened by the next orchestrator.
async fn reopen(backend: &str, path: &Path, store: Store, inner: Arc<dyn Backend>) -> Store {
    lose_driver_of(&inner).await;
    if backend == "memory" {
        return Store::open(inner, StoreOptions::default());
    }
    store.close().await.unwrap();
    drop((store, inner));
    open(backend, path).await
}

async fn lose_driver_of(inner: &Arc<dyn Backend>) {
    let store = Store::open(inner.clone(), StoreOptions::default());
    lose_driver(&store).await;
}

/// Ends after so many commits of the drive, and goes on. Says whether it was cut off at all.
async fn survives(backend: &str, commits: i64, fails: bool) -> bool {
    let what = format!("{backend}, cut off after {commits} commits");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let inner = support::backend(backend, &path).await;
    let budget = Arc::new(AtomicI64::new(MANY));
    let store = mortal(inner.clone(), &budget);
    register(&store).await;
    let world = World::default();
    if fails {
        world.tell("switch", "b", Act::Exit(1));
    }
    let definition = Definition::new("deploy", ["a", "b"], STAGES.map(OpSpec::new)).unwrap();
    let definition = definition.recovery(PipelineRecovery::Resume);
    let id = Pipelines::of(&store).create(&definition).await.unwrap().id().to_owned();
    let first = conductor(&store, &world, ConductorOptions::default()).await;
    budget.store(commits, Ordering::Relaxed);
    let cut_off = match within(first.drive(&id, &Shutdown::default())).await {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}: {error}");
            true
        }
        Ok(_) => false,
    };
    budget.store(MANY, Ordering::Relaxed);
    drop(first);
    let store = reopen(backend, &path, store, inner).await;

    let before = Pipelines::of(&store).state(&id).await.unwrap();
    let finished = done(&before, &world);
    let second = conductor(&store, &world, ConductorOptions::default()).await;
    let state = drive(&second, &id).await;
    let (end, expected) = if fails {
        (PipelineStatus::Partial, "ss sf sk")
    } else {
        (PipelineStatus::Complete, "ss ss ss")
    };
    assert_eq!((state.pipeline.status, table(&state).as_str()), (end, expected), "{what}");
    for ((op, host), times) in finished {
        assert_eq!(world.times(&op, &host), times, "{op} was done on {host} again: {what}");
    }
    for (op, host) in world.begun() {
        assert!(world.times(&op, &host) <= 2, "{op} on {host}: {what}");
    }
    let log = told(&store).await;
    assert_eq!(log.len(), 5, "{what}: {log:?}");
    assert_tidy(&store).await;
    // Over is over.
    let commits = state.pipeline.version;
    let again = drive(&second, &id).await;
    assert_eq!((again.pipeline.version, told(&store).await.len()), (commits, 5), "{what}");
    store.close().await.unwrap();
    cut_off
}

/// After every commit, or every few.
async fn survives_everywhere(fails: bool, every: i64) {
    for backend in BACKENDS {
        let (mut commits, mut cut_off) = (0, 0);
        while survives(backend, commits, fails).await {
            commits += every;
            cut_off += 1;
            assert!(commits < MANY, "{backend}: it does not end");
        }
        assert!(cut_off > 5, "{backend}: cut off only {cut_off} times");
    }
}

#[tokio::test]
async fn whichever_commit_was_the_last_the_rest_is_done_and_nothing_again() {
    survives_everywhere(false, 1).await;
}

#[tokio::test]
async fn whichever_commit_was_the_last_a_failed_host_stays_out() {
    survives_everywhere(true, 3).await;
}
