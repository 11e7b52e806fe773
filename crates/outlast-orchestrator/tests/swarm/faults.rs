//! A store that fails in the middle, and calls that are cut off.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use outlast_core::{
    AgentStatus, AttrName, AttrValue, Clock, Error, ErrorKind, ManualClock, RandomIds, Result,
    SwarmConfig, SwarmStatus, SystemClock, WriteSet,
};
use outlast_memory::Memory;
use outlast_orchestrator::swarm::{AgentHandle, NewSwarm, Orchestra, SwarmHandle};
use outlast_store::{Store, StoreOptions, Stored};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::hooked::Hooked;
use crate::support::{Stage, agent, recount, running, stage};

/// Three agents that are due, in a store that is asked before each of them is moved.
async fn due_in(hook: impl Fn(u32) -> Result<()> + Send + Sync + 'static) -> Orchestra {
    let moves = AtomicU32::new(0);
    let ask = move |set: &WriteSet| {
        if comes_to(set, "spawning") {
            return hook(moves.fetch_add(1, Ordering::Relaxed));
        }
        Ok(())
    };
    let clock = Arc::new(ManualClock::at(SystemClock::default().now()));
    let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
    let backend = Hooked::new((Arc::new(Memory::new(&RandomIds)), None), ask);
    let orchestra = Orchestra::new(&Store::open(Arc::new(backend), options));
    for id in ["a", "b", "c"] {
        let agent = orchestra.agents().create(agent().called(id)).await.unwrap();
        agent.start().await.unwrap();
        agent.fail("broken").await.unwrap();
    }
    clock.advance(Duration::from_secs(2));
    orchestra
}

/// The agents that one call hands over, and how many problems it reports.
async fn look(orchestra: &Orchestra) -> Result<(Vec<String>, usize)> {
    let due = orchestra.retries().due().await?;
    let ids = due.agents.iter().map(|agent| agent.id().to_owned()).collect();
    Ok((ids, due.problems.len()))
}

#[tokio::test]
async fn what_was_moved_before_the_store_failed_is_handed_over() {
    let fail_second = |n| if n == 1 { Err(Error::unavailable("gone")) } else { Ok(()) };
    let orchestra = due_in(fail_second).await;
    let due = orchestra.retries().due().await.unwrap();
    assert_eq!(due.agents.len(), 1);
    assert_eq!(due.problems[0].kind(), ErrorKind::Unavailable);
    assert!(due.next.is_some_and(|next| next <= orchestra.store().clock().now()));
    assert_eq!(look(&orchestra).await.unwrap(), (vec!["b".to_owned(), "c".to_owned()], 0));
}

#[tokio::test]
async fn a_store_that_fails_at_once_is_an_error_and_nothing_moves() {
    let fail_first = |n| if n == 0 { Err(Error::unavailable("gone")) } else { Ok(()) };
    let orchestra = due_in(fail_first).await;
    assert_eq!(look(&orchestra).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let first = orchestra.agent("a").get().await.unwrap();
    assert_eq!(first.status, AgentStatus::Retrying);
    assert_eq!(look(&orchestra).await.unwrap().0, ["a", "b", "c"]);
}

#[tokio::test]
async fn an_agent_whose_move_was_not_answered_is_handed_over_all_the_same() {
    let lose = |n| if n % 2 == 0 { Err(Error::indeterminate("no answer")) } else { Ok(()) };
    let orchestra = due_in(lose).await;
    assert_eq!(look(&orchestra).await.unwrap(), (["a", "b", "c"].map(str::to_owned).into(), 0));
}

/// A store in which another process does something between reading and writing, when an agent
/// first comes to `status`.
fn meanwhile<F: Future<Output = Result<()>> + Send>(
    status: &'static str,
    what: impl Fn(Orchestra) -> F + Send + Sync + 'static,
) -> (Orchestra, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(SystemClock::default().now()));
    let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
    let memory = Arc::new(Memory::new(&RandomIds));
    let elsewhere = Orchestra::new(&Store::open(memory.clone(), options.clone()));
    let is_done = AtomicBool::new(false);
    let hook = move |set: &WriteSet| {
        if comes_to(set, status) && !is_done.swap(true, Ordering::Relaxed) {
            return block_in_place(|| Handle::current().block_on(what(elsewhere.clone())));
        }
        Ok(())
    };
    let store = Store::open(Arc::new(Hooked::new((memory, None), hook)), options);
    (Orchestra::new(&store), clock)
}

/// Swarm `s` with a running agent, of which another process destroys the swarm.
async fn destroyed_before(status: &'static str) -> (Orchestra, AgentHandle, Arc<ManualClock>) {
    let destroy = |there: Orchestra| async move { there.swarm("s").destroy().await.map(drop) };
    let (orchestra, clock) = meanwhile(status, destroy);
    let new = NewSwarm::new(SwarmConfig::new("s", "work", 3)).called("s");
    let swarm = orchestra.swarms().create(new).await.unwrap();
    swarm.activate().await.unwrap();
    let agent = running(&swarm, agent()).await;
    (orchestra, agent, clock)
}

/// Whether an agent is written in a state.
fn comes_to(set: &WriteSet, status: &str) -> bool {
    let status = Some(AttrValue::from(status));
    let mut versions = set.commits.iter().flat_map(|commit| &commit.versions);
    versions.any(|version| version.attrs.get(&AttrName::status()) == status.as_ref())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_agent_is_brought_up_in_a_swarm_that_was_destroyed_meanwhile() {
    let (orchestra, agent, clock) = destroyed_before("spawning").await;
    agent.fail("broken").await.unwrap();
    clock.advance(Duration::from_secs(2));
    let due = orchestra.retries().due().await.unwrap();
    assert_eq!((due.agents.len(), due.given_up), (0, 1));
    assert_eq!(agent.get().await.unwrap().status, AgentStatus::Failed);
    assert_eq!(orchestra.swarm("s").get().await.unwrap().metrics.failed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_agent_waits_for_a_retry_in_a_swarm_that_was_destroyed_meanwhile() {
    let (orchestra, agent, _) = destroyed_before("retrying").await;
    assert_eq!(agent.fail("broken").await.unwrap().status, AgentStatus::Failed);
    let swarm = orchestra.swarm("s").get().await.unwrap();
    assert_eq!((swarm.status, swarm.metrics.failed), (SwarmStatus::Destroyed, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_failed_again_meanwhile_waits_its_new_time() {
    let fail_again = |there: Orchestra| async move {
        there.agent("b").start().await?;
        there.agent("b").fail("broken again").await.map(drop)
    };
    let (orchestra, clock) = meanwhile("spawning", fail_again);
    for id in ["a", "b"] {
        let agent = orchestra.agents().create(agent().called(id)).await.unwrap();
        agent.start().await.unwrap();
        agent.fail("broken").await.unwrap();
    }
    clock.advance(Duration::from_secs(2));
    let due = orchestra.retries().due().await.unwrap();
    assert_eq!(due.agents.iter().map(Stored::id).collect::<Vec<_>>(), ["a"]);
    let waiting = orchestra.agent("b").get().await.unwrap();
    assert_eq!((waiting.status, waiting.retry_count), (AgentStatus::Retrying, 2));
    assert_eq!(due.next, waiting.next_retry_at);
}

/// Polls a future at most so often and drops it, and says whether it came to its end.
async fn cut_off(future: impl Future, polls: usize) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        if poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// What is cut off.
async fn perform(name: &str, swarm: &SwarmHandle, agent: &AgentHandle) -> Result<()> {
    match name {
        "add" => swarm.add(crate::support::agent()).await.map(drop),
        "complete" => agent.complete().await.map(drop),
        "give_up" => agent.give_up("broken").await.map(drop),
        "kill" => agent.kill().await.map(drop),
        other => panic!("no operation {other}"),
    }
}

async fn check_cut(stage: &Stage, name: &str, polls: usize) -> bool {
    let what = format!("{}: {name} after {polls} polls", stage.backend);
    let swarm = stage.swarm(&format!("{name}-{polls}")).await;
    let agent = running(&swarm, agent()).await;
    let ended = cut_off(perform(name, &swarm, &agent), polls).await;
    stage.store.sync().await.unwrap();
    let found = swarm.get().await.unwrap();
    assert_eq!(found.metrics, recount(stage, swarm.id()).await, "{what}");
    assert_eq!(found.status == SwarmStatus::Active, !found.metrics.are_over(), "{what}");
    // Whoever waits for a turn on what was cut off gets it.
    crate::support::within(swarm.spend(1)).await.unwrap_or(found);
    crate::support::within(agent.kill()).await.map(drop).unwrap_or_default();
    ended
}

#[tokio::test]
async fn an_operation_that_is_cut_off_happened_whole_or_not_at_all() {
    for backend in ["memory", "sqlite"] {
        let stage = stage(backend).await;
        for name in ["add", "complete", "give_up", "kill"] {
            let mut polls = 0;
            while !check_cut(&stage, name, polls).await {
                polls += 1;
                assert!(polls < 10_000, "{name} never ends");
                if backend == "sqlite" {
                    polls += 4;
                }
            }
        }
        stage.store.close().await.unwrap();
    }
}
