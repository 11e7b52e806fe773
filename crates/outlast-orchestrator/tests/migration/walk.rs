//! A kind walks through its phases while it is used.

use outlast_core::Durability;
use outlast_orchestrator::migration::Phase;

use crate::world::{Engine, World, kind, note, to};

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
            let notes = migration.store().kind::<crate::world::Note>();
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
