//! The loop that hands over agents as they come due.

use std::sync::Arc;
use std::time::Duration;

use outlast_core::{Agent, AgentStatus, Clock, ErrorKind, SystemClock};
use outlast_orchestrator::Shutdown;
use outlast_orchestrator::swarm::{Orchestra, Retries};
use outlast_store::{Store, StoreOptions, Stored};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::support::{agent, in_memory, running, within};

/// Runs the retries, which look by themselves once an hour only, so that what comes within the
/// time of a test was told to them or slept for.
fn run(
    retries: Retries,
    shutdown: &Shutdown,
) -> (mpsc::Receiver<Stored<Agent>>, JoinHandle<outlast_core::Result<()>>) {
    let (sender, handed) = mpsc::channel(100);
    let shutdown = shutdown.clone();
    let looped = tokio::spawn(async move {
        let retries = retries.looking_every(Duration::from_hours(1));
        let start = |agent| {
            let sender = sender.clone();
            async move { sender.send(agent).await.unwrap() }
        };
        retries.run(&shutdown, start).await
    });
    (handed, looped)
}

#[tokio::test]
async fn the_loop_hears_of_what_is_due_at_once_and_ends_when_told() {
    let stage = in_memory().await;
    let shutdown = Shutdown::default();
    let (mut handed, looped) = run(stage.retries(), &shutdown);
    let swarm = stage.swarm("s").await;
    running(&swarm, agent()).await;
    for _ in 0..5 {
        let agent = running(&swarm, agent().with_retries(0)).await;
        agent.fail("broken").await.unwrap();
        agent.retry().await.unwrap();
        assert_eq!(within(handed.recv()).await.unwrap().id(), agent.id());
    }
    shutdown.begin();
    within(looped).await.unwrap().unwrap();
    assert!(handed.recv().await.is_none());
}

#[tokio::test]
async fn the_loop_hears_that_a_swarm_was_resumed() {
    let stage = in_memory().await;
    let shutdown = Shutdown::default();
    let swarm = stage.swarm("s").await;
    let agent = running(&swarm, agent()).await;
    agent.fail("broken").await.unwrap();
    swarm.pause().await.unwrap();
    stage.pass(Duration::from_secs(2));
    assert_eq!(stage.due().await.held, 1);
    let (mut handed, looped) = run(stage.retries(), &shutdown);
    swarm.resume().await.unwrap();
    assert_eq!(within(handed.recv()).await.unwrap().id(), agent.id());
    shutdown.begin();
    within(looped).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_loop_sleeps_until_the_next_is_due() {
    let backend = in_memory().await.store.backend().clone();
    let clock = Arc::new(SystemClock::default());
    let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
    let store = Store::open(backend, options);
    let orchestra = Orchestra::new(&store);
    let shutdown = Shutdown::default();
    let (mut handed, looped) = run(orchestra.retries(), &shutdown);
    let agent = orchestra.agents().create(agent()).await.unwrap();
    agent.start().await.unwrap();
    let due_at = agent.fail("broken").await.unwrap().next_retry_at.unwrap();
    let due = within(handed.recv()).await.unwrap();
    assert_eq!(due.id(), agent.id());
    assert!(due.updated_at >= due_at && clock.now() >= due_at, "not before its time");
    shutdown.begin();
    within(looped).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_loop_ends_with_the_store() {
    let stage = in_memory().await;
    let shutdown = Shutdown::default();
    stage.store.close().await.unwrap();
    let (_handed, looped) = run(stage.retries(), &shutdown);
    let refusal = within(looped).await.unwrap().unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_loop_that_was_told_to_stop_hands_over_nothing() {
    let stage = in_memory().await;
    let agent = stage.orchestra.agents().create(agent()).await.unwrap();
    agent.start().await.unwrap();
    agent.fail("broken").await.unwrap();
    stage.pass(Duration::from_secs(2));
    let shutdown = Shutdown::default();
    shutdown.begin();
    let (mut handed, looped) = run(stage.retries(), &shutdown);
    within(looped).await.unwrap().unwrap();
    assert!(handed.recv().await.is_none());
    assert_eq!(agent.get().await.unwrap().status, AgentStatus::Retrying);
}
