//! The database goes away, fills up, answers late or not at all, and lies.

use std::sync::Arc;
use std::time::Duration;

use outlast_core::{Batch, Cause, CommitId, Durability, ErrorKind, Expect, Key, Op, Outcome};
use outlast_orchestrator::migration::{Class, Flags, Migration, Options, Phase, Policies, Policy};

use crate::chaos::{Mood, Moody};
use crate::world::{Engine, Note, World, kind, memory, note, to};

async fn open(world: &World, options: Options) -> (Migration, Moody) {
    let moody = Moody::over(world.place());
    let migration =
        Migration::open(memory(), Some(Arc::new(moody.clone())), options).await.unwrap();
    (migration, moody)
}

/// A batch that writes a note, with an id of its own.
fn batch(migration: &Migration, id: &str, text: &str) -> Batch {
    let commit = migration.store().ids().commit_id();
    batch_as(commit, id, text)
}

fn batch_as(commit: CommitId, id: &str, text: &str) -> Batch {
    let put = outlast_core::Put {
        key: Key::new("note", id).unwrap(),
        expect: Expect::Any,
        schema: 1,
        attrs: outlast_core::Attributes::new(),
        state: outlast_core::Json::encode(&note(text)).unwrap(),
    };
    Batch::new(commit, Cause::default()).with(Op::Put(put))
}

fn durability(outcome: &Outcome) -> Durability {
    match outcome {
        Outcome::Applied(receipt) | Outcome::Replayed(receipt) => receipt.durability,
        Outcome::Conflict { .. } => panic!("{outcome:?}"),
    }
}

/// Waits until the database is taken up again and nothing is behind.
async fn settled(migration: &Migration) {
    for _ in 0..2000 {
        let status = migration.status().await.unwrap();
        if status.away.is_none() && status.behind == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", migration.status().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_in_shadow_is_served_by_memory_and_mended_afterwards() {
    for engine in Engine::ALL {
        for mood in [Mood::Away, Mood::Full] {
            let world = World::new(engine);
            let (migration, moody) = open(&world, world.options()).await;
            let store = migration.store();
            store.commit(batch(&migration, "a", "before")).await.unwrap();
            to(&migration, Phase::Shadow).await;
            let outcome = store.commit(batch(&migration, "a", "durable")).await.unwrap();
            assert_eq!(durability(&outcome), Durability::Durable);
            moody.set(mood);
            for n in 0..50 {
                let outcome = store.commit(batch(&migration, "a", &n.to_string())).await.unwrap();
                assert_eq!(durability(&outcome), Durability::Volatile);
            }
            let status = migration.status().await.unwrap();
            assert_eq!(status.behind, 1, "keys count, not writes: {status:?}");
            assert!(status.away.is_some());
            moody.set(Mood::Well);
            settled(&migration).await;
            let compared = migration.diff(&kind(), false).await.unwrap();
            assert!(compared.clean, "{engine:?} {mood:?}: {compared:?}");
            assert_eq!(compared.versions, 52);
            let outcome = store.commit(batch(&migration, "a", "after")).await.unwrap();
            assert_eq!(durability(&outcome), Durability::Durable);
            migration.close().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_kind_and_a_live_one_refuse_and_change_nothing_while_the_database_is_away() {
    for phase in [Phase::Shadow, Phase::Live] {
        let world = World::new(Engine::Sqlite);
        let policies = Policies { others: Policy::Strict, ..Policies::default() };
        let (migration, moody) = open(&world, Options { policies, ..world.options() }).await;
        let store = migration.store();
        store.commit(batch(&migration, "a", "before")).await.unwrap();
        to(&migration, phase).await;
        moody.set(Mood::Away);
        for _ in 0..3 {
            let error = store.commit(batch(&migration, "a", "refused")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        }
        let notes = store.kind::<Note>();
        assert_eq!(notes.get("a").await.unwrap().text, "before");
        moody.set(Mood::Well);
        settled(&migration).await;
        assert!(migration.diff(&kind(), false).await.unwrap().clean);
        let outcome = store.commit(batch(&migration, "a", "after")).await.unwrap();
        assert_eq!(durability(&outcome), Durability::Durable);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_in_memory_is_served_while_the_database_of_another_is_away() {
    let world = World::new(Engine::Sqlite);
    let (migration, moody) = open(&world, world.options()).await;
    let store = migration.store();
    store.commit(batch(&migration, "a", "live")).await.unwrap();
    to(&migration, Phase::Live).await;
    moody.set(Mood::Away);
    let mut other = batch(&migration, "a", "in memory");
    if let Op::Put(put) = &mut other.ops[0] {
        put.key = Key::new("scrap", "a").unwrap();
    }
    let mut both = batch(&migration, "b", "refused");
    both.ops.extend(other.ops.clone());
    assert!(store.commit(both).await.is_err());
    let outcome = store.commit(other).await.unwrap();
    assert_eq!(durability(&outcome), Durability::Volatile);
}

#[tokio::test(flavor = "multi_thread")]
async fn joint_goes_back_to_shadow_when_the_database_goes_away() {
    let world = World::new(Engine::Sqlite);
    let (migration, moody) = open(&world, world.options()).await;
    let store = migration.store();
    store.commit(batch(&migration, "a", "before")).await.unwrap();
    to(&migration, Phase::Joint).await;
    moody.set(Mood::Away);
    let outcome = store.commit(batch(&migration, "a", "volatile")).await.unwrap();
    assert_eq!(durability(&outcome), Durability::Volatile);
    assert_eq!(migration.phase(&kind()), Phase::Shadow);
    moody.set(Mood::Well);
    settled(&migration).await;
    migration.close().await.unwrap();
    let (migration, _) = open(&world, world.options()).await;
    assert_eq!(migration.phase(&kind()), Phase::Shadow, "the ledger was told");
    assert_eq!(migration.store().kind::<Note>().get("a").await.unwrap().text, "volatile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_in_doubt_is_held_until_it_is_settled_either_way() {
    for engine in Engine::ALL {
        for (mood, applied) in [(Mood::AppliesInSilence, true), (Mood::DropsInSilence, false)] {
            for phase in [Phase::Shadow, Phase::Live] {
                let world = World::new(engine);
                let (migration, moody) = open(&world, world.options()).await;
                let store = migration.store();
                store.commit(batch(&migration, "a", "before")).await.unwrap();
                to(&migration, phase).await;
                moody.set(mood);
                let id = store.ids().commit_id();
                let error = store.commit(batch_as(id, "a", "doubted")).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
                let error = store.commit(batch(&migration, "a", "held")).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                let error = store.commit(batch_as(id, "a", "doubted")).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
                assert_eq!(store.kind::<Note>().get("a").await.unwrap().text, "before");
                moody.set(Mood::Well);
                settled(&migration).await;
                let expected = if applied { "doubted" } else { "before" };
                let found = store.kind::<Note>().get("a").await.unwrap();
                assert_eq!(found.text, expected, "{engine:?} {phase}");
                let again = store.commit(batch_as(id, "a", "doubted")).await.unwrap();
                assert_eq!(matches!(again, Outcome::Replayed(_)), applied, "{again:?}");
                let compared = migration.diff(&kind(), false).await.unwrap();
                assert!(compared.clean, "{compared:?}");
                assert_eq!(compared.versions, 2, "never applied twice");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_arrives_after_it_was_settled_changes_nothing() {
    let world = World::new(Engine::Sqlite);
    let (migration, moody) = open(&world, world.options()).await;
    let store = migration.store();
    store.commit(batch(&migration, "a", "before")).await.unwrap();
    to(&migration, Phase::Live).await;
    moody.set(Mood::Late);
    let error = store.commit(batch(&migration, "a", "late")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    moody.set(Mood::Well);
    settled(&migration).await;
    assert_eq!(moody.arrive().await, Some(false), "it was planned before the settlement");
    assert_eq!(store.kind::<Note>().get("a").await.unwrap().text, "before");
    store.commit(batch(&migration, "a", "after")).await.unwrap();
    assert!(migration.diff(&kind(), false).await.unwrap().clean);
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_while_the_database_is_away_is_told_to_the_ledger_later() {
    let world = World::new(Engine::Sqlite);
    let (migration, moody) = open(&world, world.options()).await;
    let store = migration.store();
    store.commit(batch(&migration, "a", "before")).await.unwrap();
    to(&migration, Phase::Live).await;
    moody.set(Mood::Away);
    assert!(store.commit(batch(&migration, "a", "refused")).await.is_err());
    to(&migration, Phase::Shadow).await;
    let outcome = store.commit(batch(&migration, "a", "volatile")).await.unwrap();
    assert_eq!(durability(&outcome), Durability::Volatile);
    moody.set(Mood::Well);
    settled(&migration).await;
    migration.close().await.unwrap();
    let (migration, _) = open(&world, world.options()).await;
    assert_eq!(migration.phase(&kind()), Phase::Shadow);
    assert!(migration.started().may_miss.is_empty());
    assert_eq!(migration.store().kind::<Note>().get("a").await.unwrap().text, "volatile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_going_back_without_the_database_is_reported_at_the_next_start() {
    let world = World::new(Engine::Sqlite);
    let (migration, moody) = open(&world, world.options()).await;
    migration.store().commit(batch(&migration, "a", "durable")).await.unwrap();
    to(&migration, Phase::Live).await;
    moody.set(Mood::Away);
    assert!(migration.store().commit(batch(&migration, "a", "refused")).await.is_err());
    to(&migration, Phase::Shadow).await;
    migration.store().commit(batch(&migration, "a", "volatile")).await.unwrap();
    let error = migration.close().await;
    drop((migration, error));
    let (migration, _) = open(&world, world.options()).await;
    assert_eq!(migration.phase(&kind()), Phase::Live, "the ledger was never told otherwise");
    let missing: Vec<_> = migration.started().may_miss.iter().map(|(kind, _)| kind).collect();
    assert_eq!(missing, [&kind()]);
    assert_eq!(migration.store().kind::<Note>().get("a").await.unwrap().text, "durable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_kind_goes_back_by_itself_if_that_is_wished() {
    let world = World::new(Engine::Sqlite);
    let auto_rollback = Some(Duration::from_millis(1));
    let (migration, moody) = open(&world, Options { auto_rollback, ..world.options() }).await;
    migration.store().commit(batch(&migration, "a", "before")).await.unwrap();
    to(&migration, Phase::Live).await;
    moody.set(Mood::Away);
    assert!(migration.store().commit(batch(&migration, "a", "refused")).await.is_err());
    for _ in 0..1000 {
        if migration.phase(&kind()) == Phase::Shadow {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(migration.phase(&kind()), Phase::Shadow);
    migration.store().commit(batch(&migration, "a", "volatile")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_lies_is_found_out_by_comparing_and_by_reading_again() {
    let world = World::new(Engine::Sqlite);
    let mut options = world.options();
    options.pace.sample_every = 1;
    let (migration, moody) = open(&world, options).await;
    let store = migration.store();
    store.commit(batch(&migration, "a", "before")).await.unwrap();
    to(&migration, Phase::Shadow).await;
    moody.set(Mood::Lies);
    store.commit(batch(&migration, "a", "lost")).await.unwrap();
    store.commit(batch(&migration, "b", "lost")).await.unwrap();
    moody.set(Mood::Well);
    let writes = moody.writes();
    for _ in 0..400 {
        store.kind::<Note>().get("a").await.unwrap();
        let status = migration.status().await.unwrap();
        if status.kinds.iter().any(|kind| kind.shadow_reads.mismatched > 0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let status = migration.status().await.unwrap();
    assert!(status.kinds.iter().any(|kind| kind.shadow_reads.mismatched > 0), "{status:?}");
    let compared = migration.diff(&kind(), false).await.unwrap();
    assert_eq!(moody.writes(), writes, "looking changes nothing");
    let named: Vec<_> = compared.mismatches.iter().map(|m| (m.key.id(), m.class)).collect();
    assert_eq!(named, [("a", Class::Lag), ("b", Class::Missing)]);
    let error = migration.advance(&kind(), Phase::Live, false, |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged, "{error}");
    let compared = migration.diff(&kind(), true).await.unwrap();
    assert_eq!((compared.repaired, compared.clean), (2, false), "a repair proves nothing");
    assert!(migration.diff(&kind(), false).await.unwrap().clean);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_user_with_every_flag_on_is_durable_at_once() {
    for engine in Engine::ALL {
        let world = World::new(engine);
        let options = Options { flags: Flags::all(true), ..world.options() };
        let (migration, _) = open(&world, options.clone()).await;
        let outcome = migration.store().commit(batch(&migration, "a", "first")).await.unwrap();
        assert_eq!(durability(&outcome), Durability::Durable);
        assert_eq!(migration.phase(&kind()), Phase::Live);
        migration.close().await.unwrap();
        drop(migration);
        let (migration, _) = open(&world, options).await;
        assert_eq!(migration.store().kind::<Note>().get("a").await.unwrap().text, "first");
        migration.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_flag_off_no_file_appears() {
    let world = World::new(Engine::Sqlite);
    let options = Options { standby: false, ..world.options() };
    let migration = world.open(options).await.unwrap();
    migration.store().commit(batch(&migration, "a", "in memory")).await.unwrap();
    migration.close().await.unwrap();
    let files: Vec<_> = std::fs::read_dir(world.folder()).unwrap().collect();
    assert!(files.is_empty(), "{files:?}");
}
