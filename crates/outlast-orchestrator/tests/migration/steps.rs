//! Every move stopped after each of its steps, in every way, and then gone on with or started
//! anew.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{Error, Result};
use outlast_orchestrator::migration::{Migration, Options, Phase, fail};

use crate::chaos::{Mood, Moody};
use crate::world::{Engine, Note, World, kind, memory, note, to};

/// Fail points are of the whole process.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

const STEPS: [&str; 6] = ["intent", "marked", "ledger", "flipped", "remarked", "noted"];

const MOVES: [(Phase, Phase); 9] = [
    (Phase::Memory, Phase::Mirror),
    (Phase::Mirror, Phase::Shadow),
    (Phase::Shadow, Phase::Joint),
    (Phase::Joint, Phase::Live),
    (Phase::Live, Phase::Shadow),
    (Phase::Joint, Phase::Shadow),
    (Phase::Shadow, Phase::Mirror),
    (Phase::Shadow, Phase::Memory),
    (Phase::Mirror, Phase::Memory),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The step fails.
    Fails,
    /// The database is away from here on.
    Away,
    /// The next write of the database is applied, and nobody told.
    Applies,
    /// The next write of the database is dropped, and nobody told.
    Drops,
}

const FAULTS: [Fault; 4] = [Fault::Fails, Fault::Away, Fault::Applies, Fault::Drops];

fn options(world: &World) -> Options {
    let mut options = world.options();
    options.thresholds.bake = Duration::ZERO;
    options
}

async fn start(world: &World) -> (Migration, Moody) {
    let moody = Moody::over(world.place());
    let connect = Arc::new(moody.clone());
    let migration = Migration::open(memory(), Some(connect), options(world)).await.unwrap();
    (migration, moody)
}

async fn make(migration: &Migration, to: Phase) -> Result<()> {
    if migration.phase(&kind()) <= to {
        migration.advance(&kind(), to, true, |_| {}).await.map(drop)
    } else {
        migration.rollback(&kind(), to, true).await.map(drop)
    }
}

fn act(fault: Fault, moody: &Moody) -> impl FnOnce() -> Result<()> + Send + 'static {
    let moody = moody.clone();
    move || match fault {
        Fault::Fails => Err(Error::unavailable("the test stopped here")),
        Fault::Away => Ok(moody.set(Mood::Away)),
        Fault::Applies => Ok(moody.set(Mood::AppliesInSilence)),
        Fault::Drops => Ok(moody.set(Mood::DropsInSilence)),
    }
}

async fn settled(migration: &Migration, what: &str) {
    for _ in 0..2000 {
        let status = migration.status().await.unwrap();
        if status.away.is_none() && status.behind == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{what}: {:?}", migration.status().await);
}

/// Fills a store, moves it to where the move begins, stops the move and mends the database.
async fn stopped(
    world: &World,
    from: Phase,
    target: Phase,
    step: &str,
    fault: Fault,
) -> (Migration, String) {
    let what = format!("{from} to {target}, {fault:?} at {step}");
    let (migration, moody) = start(world).await;
    let notes = migration.store().kind::<Note>();
    for n in 0..3 {
        notes.create(&format!("n{n}"), &note("first")).await.unwrap();
    }
    to(&migration, from).await;
    notes.update("n0", |note| Ok(note.text = "second".into())).await.unwrap();
    fail::arm(&format!("{from}-{target}.{step}"), act(fault, &moody));
    let _ = make(&migration, target).await;
    moody.set(Mood::Well);
    (migration, what)
}

async fn goes_on(engine: Engine, from: Phase, target: Phase, step: &str, fault: Fault) {
    let world = World::new(engine);
    let (migration, what) = stopped(&world, from, target, step, fault).await;
    settled(&migration, &what).await;
    let reached = migration.phase(&kind());
    assert!(reached <= from.max(target), "{what}: {reached}");
    let notes = migration.store().kind::<Note>();
    assert_eq!(notes.get("n0").await.unwrap().text, "second", "{what}");
    notes.update("n1", |note| Ok(note.text = "third".into())).await.unwrap();
    make(&migration, target).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(migration.phase(&kind()), target, "{what}");
    notes.update("n2", |note| Ok(note.text = "fourth".into())).await.unwrap();
    if target > Phase::Memory {
        settled(&migration, &what).await;
        let compared = migration.diff(&kind(), false).await.unwrap();
        assert!(compared.clean, "{what}: {compared:?}");
        assert_eq!((compared.entities, compared.versions), (3, 6), "{what}");
    }
    migration.close().await.unwrap();
}

/// After a crash the ledger says where it stands, and everything durable is there.
async fn starts_anew(engine: Engine, from: Phase, target: Phase, step: &str, fault: Fault) {
    let world = World::new(engine);
    let (migration, what) = stopped(&world, from, target, step, fault).await;
    let before = migration.store().clone();
    // As if the process were gone: nothing is settled, and its memory is lost.
    drop(migration);
    let _ = before.backend().close().await;
    drop(before);
    let (migration, _) = start(&world).await;
    checked(&migration, from, target, &what).await;
    migration.close().await.unwrap();
}

async fn checked(migration: &Migration, from: Phase, target: Phase, what: &str) {
    let reached = migration.phase(&kind());
    // Joint is given up whenever the database cannot be reached.
    let least = if from == Phase::Joint { Phase::Shadow } else { from.min(target) };
    assert!(reached <= from.max(target) && reached >= least, "{what}: {reached}");
    let notes = migration.store().kind::<Note>();
    let found = notes.find("n0").await.unwrap();
    let was_durable = from >= Phase::Shadow && target >= Phase::Shadow;
    if was_durable || reached >= Phase::Shadow {
        assert_eq!(found.unwrap().text, "second", "{what}");
    }
    notes.create("after", &note("start")).await.unwrap();
    if reached > Phase::Memory {
        settled(migration, what).await;
        assert!(migration.diff(&kind(), false).await.unwrap().clean, "{what}");
    }
    let aside = migration.quarantined().await.unwrap();
    assert!(aside.iter().all(|lineage| lineage.kind == kind()), "{what}: {aside:?}");
}

/// Sled is slow to open: of its faults the two that leave most behind are tried, and all of them
/// where there is time (`OUTLAST_SOAK`).
fn faults(engine: Engine) -> &'static [Fault] {
    let all = engine == Engine::Sqlite || std::env::var_os("OUTLAST_SOAK").is_some();
    if all { &FAULTS } else { &[Fault::Fails, Fault::Applies] }
}

async fn every(engine: Engine) {
    let _alone = ALONE.lock().await;
    for (from, target) in MOVES {
        for step in STEPS {
            for &fault in faults(engine) {
                goes_on(engine, from, target, step, fault).await;
                starts_anew(engine, from, target, step, fault).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_stopped_after_any_step_goes_on_or_starts_anew_on_sqlite() {
    every(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_stopped_after_any_step_goes_on_or_starts_anew_on_sled() {
    every(Engine::Sled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_was_stopped_goes_on() {
    let _alone = ALONE.lock().await;
    for step in ["backfill.page", "backfill.done"] {
        for fault in FAULTS {
            let what = format!("{fault:?} at {step}");
            let world = World::new(Engine::Sqlite);
            let (migration, moody) = start(&world).await;
            let notes = migration.store().kind::<Note>();
            for n in 0..300 {
                notes.create(&format!("n{n}"), &note("first")).await.unwrap();
            }
            fail::arm(step, act(fault, &moody));
            let _ = make(&migration, Phase::Shadow).await;
            moody.set(Mood::Well);
            settled(&migration, &what).await;
            make(&migration, Phase::Live).await.unwrap();
            let compared = migration.diff(&kind(), false).await.unwrap();
            assert!(compared.clean && compared.entities == 300, "{what}: {compared:?}");
        }
    }
}

/// What a child process does that is to be killed: `engine from to folder`.
const CHILD: &str = "OUTLAST_TEST_MOVE";

#[tokio::test(flavor = "multi_thread")]
async fn child_that_is_killed_in_the_middle_of_a_move() {
    let Ok(asked) = std::env::var(CHILD) else { return };
    let asked: Vec<&str> = asked.split(' ').collect();
    let engine = if asked[0] == "Sled" { Engine::Sled } else { Engine::Sqlite };
    let (from, target): (Phase, Phase) = (asked[1].parse().unwrap(), asked[2].parse().unwrap());
    let world = World::at(engine, asked[3].into());
    let (migration, _) = start(&world).await;
    let notes = migration.store().kind::<Note>();
    for n in 0..3 {
        notes.create(&format!("n{n}"), &note("first")).await.unwrap();
    }
    to(&migration, from).await;
    notes.update("n0", |note| Ok(note.text = "second".into())).await.unwrap();
    let _ = make(&migration, target).await;
    panic!("nobody killed this process");
}

async fn killed(engine: Engine) {
    for (from, target) in MOVES {
        for step in STEPS {
            let what = format!("{from} to {target}, killed at {step}");
            let world = World::new(engine);
            let folder = world.folder().to_owned();
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "steps::child_that_is_killed_in_the_middle_of_a_move"])
                .env(CHILD, format!("{engine:?} {from} {target} {}", folder.display()))
                .env(fail::KILL, format!("{from}-{target}.{step}"))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.code().is_none(), "{what}: it was not killed: {said}");
            let (migration, _) = start(&world).await;
            checked(&migration, from, target, &what).await;
            migration.close().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_after_any_step_of_a_move_starts_anew_on_sqlite() {
    killed(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_after_any_step_of_a_move_starts_anew_on_sled() {
    killed(Engine::Sled).await;
}
