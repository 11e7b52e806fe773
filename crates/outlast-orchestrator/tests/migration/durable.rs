//! From one database to another, and back by the same machine.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use outlast_core::{Backend, Durability, OpenOptions, RandomIds};
use outlast_orchestrator::migration::{Connect, Fate, Migration, Near, Options, Phase};
use outlast_sled::Sled;
use outlast_sqlite::Sqlite;

use crate::chaos::{Mood, Moody};
use crate::walk::writing;
use crate::world::{Engine, Note, World, kind, note, to};

/// Two folders: the source is opened by hand, as memory would be.
struct Pair {
    source: World,
    target: World,
}

impl Pair {
    fn new(from: Engine) -> Self {
        let to = if from == Engine::Sled { Engine::Sqlite } else { Engine::Sled };
        Self { source: World::new(from), target: World::new(to) }
    }

    fn turned(self) -> Self {
        Self { source: self.target, target: self.source }
    }

    async fn near(&self) -> Near {
        let path = self.source.place().path;
        let options = OpenOptions::default();
        let backend: Arc<dyn Backend> = match self.source.engine {
            Engine::Sqlite => Arc::new(Sqlite::open(&path, &options, &RandomIds).await.unwrap()),
            Engine::Sled => Arc::new(Sled::open(&path, &options, &RandomIds).await.unwrap()),
        };
        Arc::new(move |_| backend.clone())
    }

    async fn open(&self) -> (Migration, Moody) {
        let moody = Moody::over(self.target.place());
        let connect: Arc<dyn Connect> = Arc::new(moody.clone());
        let options: Options = self.target.options();
        (Migration::open(self.near().await, Some(connect), options).await.unwrap(), moody)
    }
}

async fn clean(migration: &Migration, versions: u64) {
    let compared = migration.diff(&kind(), false).await.unwrap();
    assert!(compared.clean, "{compared:?}");
    assert_eq!(compared.versions, versions);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_moves_from_database_to_database_and_back() {
    for from in Engine::ALL {
        let pair = Pair::new(from);
        let (migration, _) = pair.open().await;
        let notes = migration.store().kind::<Note>();
        for n in 0..200 {
            notes.create(&n.to_string(), &note("first")).await.unwrap();
        }
        assert_eq!(migration.store().info().durability, Durability::Durable);
        for phase in [Phase::Mirror, Phase::Shadow, Phase::Joint, Phase::Live, Phase::Shadow] {
            to(&migration, phase).await;
            notes.update("0", |note| Ok(note.text = phase.to_string())).await.unwrap();
        }
        to(&migration, Phase::Live).await;
        clean(&migration, 205).await;
        let head = notes.get("0").await.unwrap().version;
        migration.close().await.unwrap();
        drop((notes, migration));

        // The other way, by the same machine; what was left behind is another lineage.
        let back = pair.turned();
        let (migration, _) = back.open().await;
        let notes = migration.store().kind::<Note>();
        assert_eq!(notes.get("0").await.unwrap().version, head, "the same numbers");
        notes.update("0", |note| Ok(note.text = "back".into())).await.unwrap();
        to(&migration, Phase::Live).await;
        clean(&migration, 206).await;
        assert_eq!(migration.status().await.unwrap().kinds[0].lineage, 1);
        migration.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_fails_because_of_a_move_between_databases() {
    for from in Engine::ALL {
        let pair = Pair::new(from);
        let (migration, _) = pair.open().await;
        let (stop, task) = writing(&migration);
        for phase in [Phase::Live, Phase::Shadow, Phase::Live] {
            to(&migration, phase).await;
        }
        stop.store(true, Ordering::Relaxed);
        let (written, failures) = task.await.unwrap();
        assert!(failures.is_empty(), "{from:?}, of {written}: {failures:?}");
        assert!(migration.diff(&kind(), false).await.unwrap().clean);
        migration.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_both_databases_are_brought_up_to_date_from_their_feeds() {
    for from in Engine::ALL {
        for phase in [Phase::Mirror, Phase::Shadow, Phase::Live] {
            let pair = Pair::new(from);
            let (migration, _) = pair.open().await;
            let notes = migration.store().kind::<Note>();
            for n in 0..20 {
                notes.create(&n.to_string(), &note("first")).await.unwrap();
            }
            to(&migration, phase).await;
            migration.close().await.unwrap();
            drop((notes, migration));

            let (migration, moody) = pair.open().await;
            assert_eq!(migration.phase(&kind()), phase);
            let notes = migration.store().kind::<Note>();
            if phase != Phase::Live {
                // Only the source has this.
                moody.set(Mood::Away);
                notes.update("3", |note| Ok(note.text = "source".into())).await.unwrap();
            }
            // Only the target has this: the process is gone before the source is written.
            let behind = migration.status().await.unwrap().behind;
            assert_eq!(behind > 0, phase != Phase::Live);
            let _ = migration.store().backend().close().await;
            drop((notes, migration));

            let (migration, _) = pair.open().await;
            let notes = migration.store().kind::<Note>();
            let expected = if phase == Phase::Live { "first" } else { "source" };
            assert_eq!(notes.get("3").await.unwrap().text, expected, "{from:?} {phase}");
            to(&migration, Phase::Live).await;
            clean(&migration, 20 + u64::from(phase != Phase::Live)).await;
            migration.close().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_target_alone_was_told_is_taken_from_it_at_the_next_start() {
    for from in Engine::ALL {
        let pair = Pair::new(from);
        let (migration, moody) = pair.open().await;
        let notes = migration.store().kind::<Note>();
        notes.create("a", &note("first")).await.unwrap();
        to(&migration, Phase::Live).await;
        // The answer of the target is lost, and with it the process.
        moody.set(Mood::AppliesInSilence);
        assert!(notes.update("a", |note| Ok(note.text = "target".into())).await.is_err());
        let _ = migration.store().backend().close().await;
        drop((notes, migration));
        let (migration, _) = pair.open().await;
        let notes = migration.store().kind::<Note>();
        assert_eq!(notes.get("a").await.unwrap().text, "target", "{from:?}");
        clean(&migration, 2).await;
        migration.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_over_a_map_works_over_a_database_too() {
    let pair = Pair::new(Engine::Sqlite);
    let (migration, _) = pair.open().await;
    let adopted = outlast_orchestrator::migration::Adopted::of("a", &note("mine")).unwrap();
    let adoption = migration.migrate_from_memory([adopted]).await.unwrap();
    assert_eq!(adoption.count(&Fate::Migrated), 1);
    migration.close().await.unwrap();
}
