//! Many at once, in one process and in two.

use std::sync::Arc;
use std::time::Duration;

use outlast_core::{ErrorKind, SwarmMetrics, SwarmStatus};
use outlast_orchestrator::swarm::{AgentHandle, Orchestra, SwarmHandle};
use outlast_store::{Retry, Store, StoreOptions};
use tokio::task::JoinSet;

use crate::support::{BACKENDS, agent, open, recount, running, stage, versions, within};

/// Ends an agent in one of three ways, which of them by its number.
async fn end(agent: AgentHandle, number: usize) {
    match number % 3 {
        0 => agent.complete().await.unwrap(),
        1 => agent.fail("broken").await.unwrap(),
        _ => agent.kill().await.unwrap(),
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_agents_that_finish_at_once_are_all_counted() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        // One that stays at work, so that the swarm does not end before the last has begun.
        running(&swarm, agent()).await;
        let mut tasks = JoinSet::new();
        for number in 0..16 {
            let agent = running(&swarm, agent().with_retries(0)).await;
            tasks.spawn(end(agent, number));
        }
        within(tasks.join_all()).await;
        let swarm = swarm.get().await.unwrap();
        let expected = SwarmMetrics { total: 17, completed: 6, failed: 5, killed: 5 };
        assert_eq!(recount(&stage, "s").await, expected, "{backend}");
        assert_eq!((swarm.status, swarm.metrics), (SwarmStatus::Active, expected), "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swarm_ends_once_however_many_end_at_once() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        let mut agents = Vec::new();
        for _ in 0..16 {
            agents.push(running(&swarm, agent().with_retries(0)).await);
        }
        let mut tasks = JoinSet::new();
        for (number, agent) in agents.into_iter().enumerate() {
            tasks.spawn(end(agent, number));
        }
        within(tasks.join_all()).await;
        let statuses: Vec<_> = versions(&swarm).await.iter().map(|swarm| swarm.status).collect();
        let ended = statuses.iter().filter(|status| **status == SwarmStatus::Completed).count();
        assert_eq!(ended, 1, "{backend}: {statuses:?}");
        assert_eq!(statuses.last(), Some(&SwarmStatus::Completed));
        let told = stage.told().await;
        let told = told.iter().filter(|event| *event == "complete of swarm/s").count();
        assert_eq!(told, 1, "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_race_of_kill_and_complete_has_one_winner() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        running(&swarm, agent()).await;
        for _ in 0..10 {
            let agent = running(&swarm, agent()).await;
            let other = agent.clone();
            let (killed, completed) = within(async {
                tokio::join!(
                    tokio::spawn(async move { agent.kill().await.unwrap() }),
                    tokio::spawn(async move { other.complete().await.unwrap() }),
                )
            })
            .await;
            let (killed, completed) = (killed.unwrap(), completed.unwrap());
            assert_eq!(killed.status, completed.status, "{backend}");
            assert_eq!(killed.version.n, 3, "{backend}: created, started, ended");
        }
        let swarm = swarm.get().await.unwrap();
        assert_eq!(swarm.metrics, recount(&stage, "s").await, "{backend}");
        assert_eq!(swarm.metrics.completed + swarm.metrics.killed, 10);
        stage.store.close().await.unwrap();
    }
}

/// Adds four agents, and says how many were taken.
async fn add_four(swarm: SwarmHandle) -> u32 {
    let mut taken = 0;
    for _ in 0..4 {
        match swarm.add(agent()).await {
            Ok(_) => taken += 1,
            Err(refusal) => assert_eq!(refusal.kind(), ErrorKind::TooLarge, "{refusal}"),
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swarm_never_has_more_agents_at_work_than_it_may() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.new_swarm("s", 10).await;
        let adders = (0..8).map(|_| add_four(swarm.clone()));
        let taken = within(adders.collect::<JoinSet<_>>().join_all()).await;
        assert_eq!(taken.iter().sum::<u32>(), 10, "{backend}");
        assert_eq!(recount(&stage, "s").await.total, 10, "{backend}");
        assert_eq!(swarm.get().await.unwrap().metrics.total, 10, "{backend}");

        let one = crate::support::agents_of(&stage, "s").await.remove(0);
        stage.orchestra.agent(one.id()).kill().await.unwrap();
        swarm.add(agent()).await.unwrap();
        assert_eq!(swarm.add(agent()).await.unwrap_err().kind(), ErrorKind::TooLarge);
        stage.store.close().await.unwrap();
    }
}

/// The swarms of one file, opened twice, so that neither hears of the other's commits.
async fn two_processes(folder: &std::path::Path) -> [Orchestra; 2] {
    let retry = Retry { max_tries: 200, base_delay: Duration::from_millis(1), ..Retry::default() };
    let orchestra = || async {
        let opened = open("sqlite", &folder.join("store")).await;
        let options = StoreOptions { retry, ..StoreOptions::default() };
        Orchestra::new(&Store::open(Arc::clone(opened.backend()), options))
    };
    [orchestra().await, orchestra().await]
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_count_and_bound_the_agents_of_one_swarm() {
    let folder = tempfile::tempdir().unwrap();
    let [here, there] = two_processes(folder.path()).await;
    let config = outlast_core::SwarmConfig::new("s", "work", 10);
    let swarm = here.swarms().create(config).await.unwrap();
    let elsewhere = there.swarm(swarm.id());
    let adders = [&swarm, &elsewhere, &swarm, &elsewhere].map(|swarm| add_four(swarm.clone()));
    let taken = within(adders.into_iter().collect::<JoinSet<_>>().join_all()).await;
    assert_eq!(taken.iter().sum::<u32>(), 10);
    swarm.activate().await.unwrap();
    let page = here.agents().of_swarm(swarm.id(), outlast_core::Page::first(100)).await.unwrap();
    let mut tasks = JoinSet::new();
    for (number, agent) in page.items.into_iter().enumerate() {
        let agent = [&here, &there][number % 2].agent(agent.unwrap().id());
        tasks.spawn(async move {
            agent.start().await.unwrap();
            end(agent, number).await;
        });
    }
    within(tasks.join_all()).await;
    let over = elsewhere.get().await.unwrap();
    // Those that failed are tried again.
    let expected = SwarmMetrics { total: 10, completed: 4, failed: 0, killed: 3 };
    assert_eq!((over.status, over.metrics), (SwarmStatus::Active, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_hand_each_agent_over_once() {
    let folder = tempfile::tempdir().unwrap();
    let processes = two_processes(folder.path()).await;
    let config = outlast_core::SwarmConfig::new("s", "work", 50);
    let swarm = processes[0].swarms().create(config).await.unwrap();
    let mut expected = Vec::new();
    for _ in 0..30 {
        let agent = swarm.add(agent()).await.unwrap();
        agent.fail("broken").await.unwrap();
        agent.retry().await.unwrap();
        expected.push(agent.id().to_owned());
    }
    let mut handed = Vec::new();
    while handed.len() < expected.len() {
        let looking: JoinSet<_> = processes
            .iter()
            .map(|process| {
                let retries = process.retries();
                async move { retries.due().await.unwrap() }
            })
            .collect();
        for due in within(looking.join_all()).await {
            assert!(due.problems.is_empty(), "{due:?}");
            handed.extend(due.agents.iter().map(|agent| agent.id().to_owned()));
        }
    }
    handed.sort();
    expected.sort();
    assert_eq!(handed, expected);
}
