//! A kind walks through its phases while it is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use outlast_core::Durability;
use outlast_orchestrator::migration::{Migration, Phase};
use tokio::task::JoinHandle;

use crate::world::{Engine, Note, World, kind, note, to};

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_walks_to_live_and_back_and_nothing_is_lost() {
    for engine in Engine::ALL {
        let world = World::new(engine);
        let migration = world.open(world.options()).await.unwrap();
        let notes = migration.store().kind();
        for n in 0..300 {
            notes.create(&format!("n{n}"), &note("first")).await.unwrap();
        }
        for phase in [Phase::Mirror, Phase::Shadow, Phase::Joint, Phase::Live, Phase::Shadow] {
            to(&migration, phase).await;
            for n in 0..10 {
                let id = format!("n{n}");
                notes.update(&id, |note| Ok(note.text = phase.to_string())).await.unwrap();
            }
            let compared = migration.diff(&kind(), false).await.unwrap();
            assert!(compared.clean, "{engine:?} {phase}: {compared:?}");
            assert_eq!(compared.entities, 300);
            assert_eq!(
                compared.versions,
                300 + 10 * (notes.get("n0").await.unwrap().version.n - 1)
            );
        }
        migration.close().await.unwrap();
    }
}

/// Writes until it is told to stop, and says how often that failed.
pub(crate) fn writing(migration: &Migration) -> (Arc<AtomicBool>, JoinHandle<(u64, Vec<String>)>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (until, notes) = (stop.clone(), migration.store().kind::<Note>());
    let task = tokio::spawn(async move {
        let (mut written, mut failures) = (0, Vec::new());
        while !until.load(Ordering::Relaxed) {
            let id = format!("w{}", written % 7);
            let text = note(&written.to_string());
            let done = match notes.find(&id).await {
                Ok(Some(found)) => notes.replace(&found, text).await.map(drop),
                Ok(None) => notes.create(&id, &text).await.map(drop),
                Err(error) => Err(error),
            };
            written += 1;
            failures.extend(done.err().map(|error| format!("{error:?}")));
        }
        (written, failures)
    });
    (stop, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_fails_because_of_a_move() {
    for engine in Engine::ALL {
        let world = World::new(engine);
        let migration = world.open(world.options()).await.unwrap();
        let (stop, task) = writing(&migration);
        for _ in 0..2 {
            for phase in [Phase::Live, Phase::Shadow, Phase::Mirror, Phase::Live, Phase::Memory] {
                to(&migration, phase).await;
            }
        }
        to(&migration, Phase::Live).await;
        stop.store(true, Ordering::Relaxed);
        let (written, failures) = task.await.unwrap();
        assert!(failures.is_empty(), "{engine:?}, of {written}: {failures:?}");
        assert!(written > 50, "only {written} operations");
        assert!(migration.diff(&kind(), false).await.unwrap().clean);
        migration.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_as_durable_is_there_after_a_start() {
    for engine in Engine::ALL {
        let world = World::new(engine);
        for phase in [Phase::Shadow, Phase::Joint, Phase::Live] {
            let migration = world.open(world.options()).await.unwrap();
            let notes = migration.store().kind();
            to(&migration, phase).await;
            assert_eq!(migration.store().info().durability, Durability::Durable);
            let id = format!("in_{phase}");
            let created = notes.create(&id, &note("kept")).await.unwrap();
            migration.close().await.unwrap();
            drop(migration);
            let migration = world.open(world.options()).await.unwrap();
            assert_eq!(migration.phase(&kind()), phase, "the ledger says where it stands");
            let notes = migration.store().kind::<Note>();
            let found = notes.get(&id).await.unwrap();
            assert_eq!((found.version, &*found.text), (created.version, "kept"));
            let changed = notes.replace(&found, note("again")).await.unwrap();
            assert!(changed.version > created.version);
            let history = notes.history(&id, outlast_core::Page::default()).await;
            assert_eq!(history.unwrap().items.len(), 2, "{engine:?} {phase}");
            assert!(migration.diff(&kind(), false).await.unwrap().clean);
            migration.close().await.unwrap();
        }
    }
}
