//! The database, seen through its ledger.

use outlast_core::{ErrorKind, Page};
use outlast_orchestrator::migration::{Connect, Phase, check_free, ledger, resolve};
use outlast_orchestrator::transfer::export;
use outlast_store::{Store, StoreOptions};

use crate::world::{Engine, Note, World, note, to};

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_left_and_came_back_is_read_where_the_ledger_says() {
    for engine in Engine::ALL {
        let world = World::new(engine);
        let migration = world.open(world.options()).await.unwrap();
        let notes = migration.store().kind();
        notes.create("a", &note("first")).await.unwrap();
        to(&migration, Phase::Shadow).await;
        to(&migration, Phase::Memory).await;
        notes.update("a", |note: &mut Note| Ok(note.text = "second".into())).await.unwrap();

        let database = migration.database().await.unwrap();
        let seen = Store::open(database, StoreOptions::default());
        assert!(seen.kind::<Note>().find("a").await.unwrap().is_none(), "{engine:?}");
        assert!(seen.kinds().await.unwrap().entities.is_empty(), "what is left is not listed");
        let refused = seen.kind().create("b", &note("astray")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");

        to(&migration, Phase::Shadow).await;
        let database = migration.database().await.unwrap();
        let rows = ledger::read(&*database).await.unwrap();
        assert_eq!(check_free(&rows).unwrap_err().kind(), ErrorKind::Fenced, "the owner lives");
        migration.close().await.unwrap();

        let backend = world.place().connect().await.unwrap();
        let rows = ledger::read(&*backend).await.unwrap();
        check_free(&rows).unwrap();
        let seen = Store::open(resolve(backend, &rows), StoreOptions::default());
        let notes = seen.kind::<Note>();
        assert_eq!(notes.get("a").await.unwrap().text, "second");
        notes.update("a", |note| Ok(note.text = "third".into())).await.unwrap();
        let history = notes.history("a", Page::default()).await.unwrap();
        assert_eq!(history.items.len(), 3, "{engine:?}");
        seen.close().await.unwrap();

        let migration = world.open(world.options()).await.unwrap();
        let found = migration.store().kind::<Note>().get("a").await.unwrap();
        assert_eq!(found.text, "third", "{engine:?}");
        migration.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_a_store_that_moved_has_what_only_the_database_has() {
    for engine in Engine::ALL {
        let world = World::new(engine);
        let migration = world.open(world.options()).await.unwrap();
        let notes = migration.store().kind();
        for n in 0..20 {
            notes.create(&format!("n{n}"), &note("first")).await.unwrap();
            notes
                .update(&format!("n{n}"), |note: &mut Note| Ok(note.text.push('!')))
                .await
                .unwrap();
        }
        to(&migration, Phase::Live).await;
        migration.close().await.unwrap();
        let migration = world.open(world.options()).await.unwrap();
        let mut lines = Vec::new();
        let exported = export(migration.store(), &mut lines, &mut |_| {}).await.unwrap();
        assert_eq!((exported.tally.entities, exported.tally.versions), (20, 40), "{engine:?}");
        migration.close().await.unwrap();
    }
}
