//! Killing: first asked, then made.

use std::time::Duration;

use outlast_core::{Command, CommandStatus, ErrorKind, Result};
use outlast_orchestrator::fleet::{Driver, DriverOptions, KillSignal};
use outlast_orchestrator::process::{Life, life};
use outlast_store::Stored;

use crate::running::{local, until};
use crate::support::{BACKENDS, MINUTE, Scene, driving, output, shell, soon};

/// Ignores what it is asked, and says when it does.
const STUBBORN: &str = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done";

/// A grace that nothing here outlasts.
fn patient(driver: Driver) -> Driver {
    driver.with_options(DriverOptions { grace: MINUTE * 60 })
}

/// Runs a command while something else is done, from when it has written that it is ready.
async fn meanwhile<T>(
    scene: &Scene,
    driver: &Driver,
    line: &str,
    act: impl AsyncFnOnce(String) -> T,
) -> (Result<Stored<Command>>, T) {
    let id = scene.commands().begin("h1", shell(line)).await.unwrap().id().to_owned();
    let shutdown = outlast_orchestrator::Shutdown::default();
    let acts = async {
        heard(scene, &id, "ready").await;
        act(id.clone()).await
    };
    soon("the command", async { tokio::join!(driver.run(&id, &shutdown), acts) }).await
}

/// Waits until a command has written something.
async fn heard(scene: &Scene, id: &str, text: &str) {
    let mut pulse = scene.store.pulse();
    loop {
        let written = output(&scene.store, id, "stdout").await;
        if String::from_utf8(written).unwrap().contains(text) {
            return;
        }
        pulse.next().await.unwrap();
    }
}

#[tokio::test]
async fn one_that_heeds_is_killed_by_being_asked() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (instance, _) = driving(&scene).await;
        let driver = patient(local(&scene, &instance));
        let kill = async |id: String| {
            let killing = scene.commands().kill(&id, KillSignal::Term).await.unwrap();
            assert_eq!(killing.status, CommandStatus::Killing);
            assert_eq!(killing.kill_signal.as_deref(), Some("TERM"));
            killing
        };
        let (ran, killing) = meanwhile(&scene, &driver, "echo ready; exec sleep 1000", kill).await;
        let killed = ran.unwrap();
        assert_eq!(killed.status, CommandStatus::Killed, "{name}");
        assert_eq!(killed.kill_initiated_at, killing.kill_initiated_at, "{name}");
        assert!(killed.error.as_ref().unwrap().contains("signal 15"), "{killed:?}");
        assert_eq!(scene.claim("h1").await, None, "{name}");
    }
}

#[tokio::test]
async fn one_that_does_not_heed_is_killed_when_somebody_asks_harder() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (instance, _) = driving(&scene).await;
        let driver = patient(local(&scene, &instance));
        let escalate = async |id: String| {
            let commands = scene.commands();
            let asked = commands.kill(&id, KillSignal::Term).await.unwrap();
            heard(&scene, &id, "asked").await;
            // Asked again the same, nothing changes; and it does not get softer.
            let again = commands.kill(&id, KillSignal::Term).await.unwrap();
            assert_eq!(again.version, asked.version);
            scene.clock.advance(Duration::from_secs(3));
            let made = commands.kill(&id, KillSignal::Kill).await.unwrap();
            assert_eq!(made.kill_initiated_at, asked.kill_initiated_at, "when it began");
            assert_eq!(made.kill_signal.as_deref(), Some("KILL"));
            asked
        };
        let (ran, asked) = meanwhile(&scene, &driver, STUBBORN, escalate).await;
        let killed = ran.unwrap();
        assert_eq!(killed.status, CommandStatus::Killed, "{name}");
        assert!(killed.error.as_ref().unwrap().contains("signal 9"), "{killed:?}");
        assert_eq!(life(asked.process.as_ref().unwrap()), Life::Dead, "{name}");
        let softer = scene.commands().kill(killed.id(), KillSignal::Term).await.unwrap_err();
        assert_eq!(softer.kind(), ErrorKind::IllegalTransition, "{softer}");
    }
}

#[tokio::test]
async fn one_that_does_not_heed_is_killed_when_its_grace_is_over() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (instance, _) = driving(&scene).await;
        let grace = Duration::from_millis(300);
        let driver = local(&scene, &instance).with_options(DriverOptions { grace });
        let kill = async |id: String| scene.commands().kill(&id, KillSignal::Term).await.unwrap();
        let (ran, _) = meanwhile(&scene, &driver, STUBBORN, kill).await;
        let killed = ran.unwrap();
        assert_eq!(killed.status, CommandStatus::Killed, "{name}");
        assert_eq!(killed.kill_signal.as_deref(), Some("KILL"), "{name}: it is recorded");
        let told: Vec<_> = scene.events().await.into_iter().map(|event| event.message).collect();
        assert!(told.iter().any(|told| told.contains("SIGTERM")), "{told:?}");
        assert!(told.iter().any(|told| told.contains("SIGKILL")), "{told:?}");
    }
}

/// What hides in a group of its own dies with the command.
#[tokio::test]
async fn nothing_of_a_killed_command_is_left() {
    let scene = Scene::new("memory").await;
    scene.host("h1").await;
    let (instance, _) = driving(&scene).await;
    let driver = patient(local(&scene, &instance));
    let hides =
        "setsid sh -c 'echo $$; exec sleep 1000' & echo ready; trap '' TERM; wait; sleep 1000";
    let kill = async |id: String| {
        let mut pulse = scene.store.pulse();
        let pid = loop {
            let written = String::from_utf8(output(&scene.store, &id, "stdout").await).unwrap();
            let pid = written.lines().find_map(|line| line.parse::<u32>().ok());
            // A number that came whole.
            if let Some(pid) = pid.filter(|_| written.ends_with('\n')) {
                break pid;
            }
            pulse.next().await.unwrap();
        };
        let hidden = outlast_orchestrator::process::identify(pid).unwrap();
        scene.commands().kill(&id, KillSignal::Kill).await.unwrap();
        hidden
    };
    let (ran, hidden) = meanwhile(&scene, &driver, hides, kill).await;
    assert_eq!(ran.unwrap().status, CommandStatus::Killed);
    assert_eq!(life(&hidden), Life::Dead);
}

#[tokio::test]
async fn what_was_done_before_the_signal_came_is_done() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (instance, _) = driving(&scene).await;
        let driver = patient(local(&scene, &instance));
        let kill = async |id: String| scene.commands().kill(&id, KillSignal::Term).await.unwrap();
        let heeds = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done";
        let (ran, _) = meanwhile(&scene, &driver, heeds, kill).await;
        let done = ran.unwrap();
        assert_eq!((done.status, done.exit_code), (CommandStatus::Success, Some(0)), "{name}");
        let fails = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done";
        let (ran, _) = meanwhile(&scene, &driver, fails, kill).await;
        let killed = ran.unwrap();
        assert_eq!((killed.status, killed.exit_code), (CommandStatus::Killed, Some(9)), "{name}");
    }
}

#[tokio::test]
async fn a_shutdown_asks_what_runs_to_end_and_starts_nothing() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        scene.host("h2").await;
        let (instance, shutdown) = driving(&scene).await;
        let driver = patient(local(&scene, &instance));
        let runs = scene.commands().begin("h1", shell("exec sleep 1000")).await.unwrap();
        let waits = scene.commands().begin("h2", shell("exec sleep 1000")).await.unwrap();
        let stop = async {
            until(&scene, runs.id(), CommandStatus::Executing).await;
            shutdown.begin();
        };
        let (ran, ()) =
            soon("the shutdown", async { tokio::join!(driver.run(runs.id(), &shutdown), stop) })
                .await;
        assert_eq!(ran.unwrap().status, CommandStatus::Killed, "{name}");
        let left = driver.run(waits.id(), &shutdown).await.unwrap();
        assert_eq!((left.status, left.version), (CommandStatus::Pending, waits.version), "{name}");
    }
}

#[tokio::test]
async fn an_urgent_shutdown_does_not_wait_for_what_does_not_heed() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (instance, shutdown) = driving(&scene).await;
        let driver = patient(local(&scene, &instance));
        let id = scene.commands().begin("h1", shell(STUBBORN)).await.unwrap().id().to_owned();
        let stop = async {
            heard(&scene, &id, "ready").await;
            shutdown.begin();
            heard(&scene, &id, "asked").await;
            shutdown.kill();
        };
        let (ran, ()) =
            soon("the shutdown", async { tokio::join!(driver.run(&id, &shutdown), stop) }).await;
        let killed = ran.unwrap();
        assert_eq!(killed.status, CommandStatus::Killed, "{name}");
        assert_eq!(killed.kill_signal.as_deref(), Some("KILL"), "{name}");
    }
}
