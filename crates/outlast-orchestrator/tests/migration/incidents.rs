//! What went wrong elsewhere, in public, and must not here.

use outlast_core::{ErrorKind, Kind};
use outlast_orchestrator::migration::{Adopted, Fate, Flags, Options, Phase};

use crate::world::{Engine, Note, World, kind, note, to};

/// Someone tried the new store, switched its flags off, went on with the old one for months, and
/// was served the trial when flags came on again (grafana#123616).
#[tokio::test(flavor = "multi_thread")]
async fn grafana_123616_switching_off_is_refused_and_what_was_left_behind_is_never_served() {
    let world = World::new(Engine::Sqlite);
    let on = Options { flags: Flags::all(true), standby: false, ..world.options() };
    let migration = world.open(on.clone()).await.unwrap();
    let notes = migration.store().kind::<Note>();
    notes.create("a", &note("of the trial")).await.unwrap();
    migration.close().await.unwrap();
    drop((notes, migration));

    // Off: memory would be empty, and what is in the database would grow old.
    for off in [
        Options { flags: Flags::all(false), ..on.clone() },
        Options { enable_persistence: false, ..on.clone() },
    ] {
        let error = world.open(off).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("outlast migrate state rollback"), "{error}");
    }

    // The way it is meant: leave for good, and go on in memory.
    let migration = world.open(on.clone()).await.unwrap();
    to(&migration, Phase::Memory).await;
    let notes = migration.store().kind::<Note>();
    notes.update("a", |note| Ok(note.text = "of today".into())).await.unwrap();
    // On again: what is there now moves, the trial lies set aside.
    to(&migration, Phase::Live).await;
    assert_eq!(notes.get("a").await.unwrap().text, "of today");
    let aside = migration.quarantined().await.unwrap();
    assert_eq!((aside.len(), aside[0].lineage, aside[0].entities), (1, 0, 1));
    migration.close().await.unwrap();
    drop((notes, migration));
    let migration = world.open(on).await.unwrap();
    let notes = migration.store().kind::<Note>();
    assert_eq!(notes.get("a").await.unwrap().text, "of today");
    migration.close().await.unwrap();
}

/// A migration that had been made was made again at an upgrade, and old content overwrote the new
/// (grafana#122804).
#[tokio::test(flavor = "multi_thread")]
async fn grafana_122804_migrating_again_never_overwrites_what_is_newer() {
    let world = World::new(Engine::Sqlite);
    let options = Options { flags: Flags::all(true), ..world.options() };
    let old =
        || [("a", "old"), ("b", "old")].map(|(id, text)| Adopted::of(id, &note(text)).unwrap());
    let migration = world.open(options.clone()).await.unwrap();
    let first = migration.migrate_from_memory(old()).await.unwrap();
    assert_eq!(first.count(&Fate::Migrated), 2);
    let notes = migration.store().kind::<Note>();
    notes.update("a", |note| Ok(note.text = "new".into())).await.unwrap();
    migration.close().await.unwrap();
    drop((notes, migration));

    let migration = world.open(options).await.unwrap();
    let again = migration.migrate_from_memory(old()).await.unwrap();
    let fates: Vec<_> = again.fates.iter().map(|(key, fate)| (key.id(), fate.clone())).collect();
    assert_eq!(fates, [("a", Fate::Newer), ("b", Fate::Unchanged)]);
    let notes = migration.store().kind::<Note>();
    assert_eq!(notes.get("a").await.unwrap().text, "new");
    assert_eq!(notes.get("b").await.unwrap().version.n, 1, "nothing was written");
    migration.close().await.unwrap();
}

/// A migration was rolled back and begun again; a mark of the first made the second skip its
/// initial copy, and the empty target was synchronised over the source
/// (strimzi-kafka-operator#11262).
#[tokio::test(flavor = "multi_thread")]
async fn strimzi_11262_a_second_migration_copies_everything_again_into_a_new_lineage() {
    for engine in Engine::ALL {
        let world = World::new(engine);
        let migration = world.open(world.options()).await.unwrap();
        let notes = migration.store().kind::<Note>();
        for n in 0..20 {
            notes.create(&n.to_string(), &note("first")).await.unwrap();
        }
        to(&migration, Phase::Shadow).await;
        to(&migration, Phase::Memory).await;
        for n in 0..20 {
            notes.update(&n.to_string(), |note| Ok(note.text = "second".into())).await.unwrap();
        }
        notes.create("new", &note("second")).await.unwrap();
        to(&migration, Phase::Live).await;
        let compared = migration.diff(&kind(), false).await.unwrap();
        assert!(compared.clean, "{engine:?}: {compared:?}");
        assert_eq!((compared.entities, compared.versions), (21, 41));
        assert_eq!(migration.status().await.unwrap().kinds[0].lineage, 1);

        let aside = migration.quarantined().await.unwrap();
        assert_eq!((aside.len(), aside[0].entities), (1, 20));
        let of = Kind::new("note").unwrap();
        let error = migration.purge_quarantined(&of, 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "what counts is never purged");
        assert_eq!(migration.purge_quarantined(&of, 0).await.unwrap().done, 20);
        assert!(migration.quarantined().await.unwrap().is_empty());
        assert!(migration.diff(&kind(), false).await.unwrap().clean);
        migration.close().await.unwrap();
        drop((notes, migration));
        let migration = world.open(world.options()).await.unwrap();
        let notes = migration.store().kind::<Note>();
        assert_eq!(notes.get("7").await.unwrap().text, "second");
        migration.close().await.unwrap();
    }
}
