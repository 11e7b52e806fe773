//! Random operations of several people on several hosts, some of them at the same time: what must
//! always hold, holds after each.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use outlast_core::{Command, CommandStatus, ErrorKind, HostStatus, OpSpec, Page, Result, Status};
use outlast_orchestrator::fleet::{Completion, Fleet, HostBusy, KillSignal, Reconnection, Refusal};
use outlast_store::{Store, Stored};

use crate::support::{BACKENDS, DURABLE, Scene};

const HOSTS: [&str; 3] = ["h0", "h1", "h2"];

fn seed() -> u64 {
    let given = std::env::var("OUTLAST_SEED");
    let seed = given.map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("seed {seed}: replay with OUTLAST_SEED={seed}");
    seed
}

fn spec(random: &mut Rng) -> OpSpec {
    OpSpec {
        retryable: random.bool(),
        reconnect_ms: random.bool().then_some(90_000),
        queue_ms: random.bool().then_some(600_000),
        ..OpSpec::new("pull")
    }
}

/// One operation on one command, whatever state it is in.
async fn act(store: &Store, id: &str, choice: u8) -> Result<Stored<Command>> {
    let commands = Fleet::new(store).commands();
    let refusal = Refusal::new("some_code", "for a reason");
    match choice % 16 {
        0 | 1 => commands.validate(id).await,
        2 | 3 => commands.execute(id, None).await,
        4 => commands.extend(id, 20).await,
        5 => commands.kill(id, KillSignal::Term).await,
        6 => commands.kill(id, KillSignal::Kill).await,
        7 => commands.await_reconnect(id, Some(0)).await,
        8 => commands.finish(id, &Completion::exited(0)).await,
        9 => commands.finish(id, &Completion::exited(3)).await,
        10 => commands.block(id, &refusal).await,
        11 => commands.cancel(id, "for a reason").await,
        12 => commands.orphan(id, "for a reason").await,
        13 => commands.reconnected(id, Reconnection::Renewed).await,
        14 => commands.reconcile(id, &Completion::exited(0)).await,
        _ => commands.requeue(id, "for a reason").await,
    }
}

/// What anybody may be told who asks for something that cannot be.
fn check_refusal(result: Result<()>) {
    if let Err(error) = result {
        let is_expected = HostBusy::of(&error).is_some()
            || matches!(error.kind(), ErrorKind::IllegalTransition | ErrorKind::Invalid);
        assert!(is_expected, "{error:?}");
    }
}

async fn step(scene: &Scene, random: &mut Rng, known: &BTreeMap<String, Command>) {
    let host = HOSTS[random.usize(..HOSTS.len())];
    let (one, other) = (&scene.store, scene.other());
    let fleet = Fleet::new(one);
    match random.u8(..10) {
        0 => {
            let begun = fleet.commands().begin(host, spec(random)).await;
            check_refusal(begun.map(drop));
        }
        1 => {
            let (ours, theirs) = (spec(random), spec(random));
            let others = Fleet::new(&other).commands();
            let commands = fleet.commands();
            let (a, b) =
                tokio::join!(commands.begin(host, ours), others.begin_or_queue(host, theirs));
            check_refusal(a.map(drop));
            check_refusal(b.map(drop));
        }
        2 => {
            let taken = fleet.commands().next_queued(host).await;
            check_refusal(taken.map(drop));
        }
        3 => check_refusal(fleet.hosts().disconnect(host).await.map(drop)),
        4 => check_refusal(fleet.hosts().heartbeat(host, HostStatus::Online).await),
        5 => {
            scene.clock.advance(Duration::from_secs(random.u64(..400)));
            assert!(fleet.commands().all_due().await.unwrap().problems.is_empty());
        }
        _ if known.is_empty() => {}
        _ => {
            // The newest are the ones that something can still be done with.
            let back = random.usize(..known.len().min(4));
            let id = known.keys().rev().nth(back).unwrap();
            let (first, second) = (random.u8(..), random.u8(..));
            if random.bool() {
                let (a, b) = tokio::join!(act(one, id, first), act(&other, id, second));
                check_refusal(a.map(drop));
                check_refusal(b.map(drop));
            } else {
                check_refusal(act(one, id, first).await.map(drop));
            }
        }
    }
}

/// Reads everything and compares it with what was there before.
async fn check(scene: &Scene, known: &mut BTreeMap<String, Command>) {
    let page = scene.commands().list(Page::first(1000)).await.unwrap();
    assert!(page.next.is_none());
    let mut holders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for command in page.items {
        let command = command.unwrap();
        let id = command.id().to_owned();
        let now = command.into_value();
        let (is_over, waits) = (now.status.is_settled(), now.status == CommandStatus::Queued);
        assert_eq!(now.finished_at.is_some(), is_over, "{id}: {now:?}");
        if !is_over && !waits {
            holders.entry(now.host_id.clone()).or_default().push(id.clone());
        }
        if let Some(before) = known.insert(id.clone(), now.clone()) {
            check_change(&id, &before, &now);
        }
    }
    for host in HOSTS {
        let holders = holders.remove(host).unwrap_or_default();
        assert!(holders.len() <= 1, "{host} has {holders:?}");
        assert_eq!(scene.claim(host).await.as_ref(), holders.first(), "the claim on {host}");
    }
}

fn check_change(id: &str, before: &Command, now: &Command) {
    let what = format!("{id}: from {before:?} to {now:?}");
    if before.status.is_settled() && before.status != CommandStatus::Orphaned {
        assert_eq!(before, now, "what is over changed");
    }
    assert!(before.started_at.is_none() || before.started_at == now.started_at, "{what}");
    assert!(before.finished_at.is_none() || before.finished_at == now.finished_at, "{what}");
    assert!(before.exit_code.is_none() || now.exit_code.is_some(), "{what}");
    assert!(before.error.is_none() || now.error.is_some(), "{what}");
    let began = before.kill_initiated_at;
    assert!(began.is_none() || began == now.kill_initiated_at, "{what}");
}

/// Each version of a command was told of, once, but for those that are only being checked.
async fn check_events(scene: &Scene) {
    use outlast_core::{HistoryQuery, Kind, Scope};

    let mut versions = 0;
    let kind = Kind::new("command").unwrap();
    let mut query = HistoryQuery::of(Scope::All(Some(kind)));
    query.page = Page::first(1000);
    loop {
        let page = scene.store.history(&query).await.unwrap();
        for version in page.items {
            let version = version.unwrap();
            let status = &version.attrs[&outlast_core::AttrName::status()];
            versions += u64::from(*status != "validating".into());
        }
        match page.next {
            Some(next) => query.page = query.page.after(next),
            None => break,
        }
    }
    let mut hosts = 0;
    for host in HOSTS {
        hosts += scene.hosts().get(host).await.unwrap().version.n;
    }
    assert_eq!(scene.told().await, versions + hosts, "one event per change");
}

async fn play(mut scene: Scene, random: &mut Rng, steps: usize) {
    for host in HOSTS {
        scene.host(host).await;
    }
    let mut known = BTreeMap::new();
    for _ in 0..steps {
        step(&scene, random, &known).await;
        check(&scene, &mut known).await;
        if DURABLE.contains(&scene.name) && random.u8(..40) == 0 {
            scene = scene.reopened().await;
            check(&scene, &mut known).await;
        }
    }
    check_events(&scene).await;
    assert!(known.values().any(|command| command.status.is_settled()), "something was done");
}

#[tokio::test]
async fn whatever_is_asked_for_each_host_has_one_command_and_what_is_over_stays() {
    let mut random = Rng::with_seed(seed());
    for name in BACKENDS {
        play(Scene::new(name).await, &mut random, 250).await;
    }
}
