//! Agents that come due.

use std::time::Duration;

use outlast_core::{AgentStatus, Page, Swarm, SwarmStatus};
use outlast_orchestrator::swarm::{Due, NewAgent};
use outlast_store::Stored;

use crate::support::{
    BACKENDS, Stage, agent, in_memory, recount, running, stage, versions, within,
};

fn ids(due: &Due) -> Vec<&str> {
    due.agents.iter().map(Stored::id).collect()
}

/// Swarm `s` with agents that have failed once, and are due in two seconds.
async fn failed(stage: &Stage, names: &[&str]) {
    let swarm = stage.swarm("s").await;
    for name in names {
        running(&swarm, agent().called(*name)).await.fail("broken").await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_is_due_at_its_time_and_not_before() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        failed(&stage, &["a"]).await;
        let at = stage.now().plus(Duration::from_secs(2));
        stage.pass(Duration::from_micros(1_999_999));
        let early = stage.due().await;
        assert_eq!((ids(&early).len(), early.next), (0, Some(at)), "{backend}");
        stage.pass(Duration::from_micros(1));
        let due = stage.due().await;
        assert_eq!((ids(&due), due.next), (vec!["a"], None), "{backend}");
        assert_eq!(due.agents[0].status, AgentStatus::Spawning);
        assert_eq!(due.agents[0].next_retry_at, None);
        let stored = stage.orchestra.agent("a").get().await.unwrap();
        assert_eq!(stored.version, due.agents[0].version);
        assert!(stage.due().await.agents.is_empty(), "{backend}: handed over once");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_longest_wait_comes_first_and_the_next_time_is_told() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        for (name, failures) in [("late", 3), ("early", 1), ("middle", 2)] {
            let agent = running(&swarm, agent().called(name)).await;
            for failure in 0..failures {
                if failure > 0 {
                    agent.start().await.unwrap();
                }
                agent.fail("broken").await.unwrap();
            }
        }
        let now = stage.now();
        assert_eq!(stage.due().await.next, Some(now.plus(Duration::from_secs(2))));
        stage.pass(Duration::from_secs(5));
        let due = stage.due().await;
        assert_eq!(ids(&due), ["early", "middle"], "{backend}");
        assert_eq!(due.next, Some(now.plus(Duration::from_secs(8))), "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn more_than_a_page_comes_in_several_calls_and_each_once() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let names: Vec<_> = (0..300).map(|n| format!("a{n:03}")).collect();
        let config = outlast_core::SwarmConfig::new("s", "work", 300);
        let new = outlast_orchestrator::swarm::NewSwarm::new(config).called("s");
        let swarm = stage.orchestra.swarms().create(new).await.unwrap();
        for name in &names {
            let agent = swarm.add(agent().called(name)).await.unwrap();
            agent.fail("broken").await.unwrap();
            agent.retry().await.unwrap();
        }
        let (mut handed, mut calls) = (Vec::new(), 0);
        loop {
            let due = stage.due().await;
            handed.extend(due.agents.iter().map(|agent| agent.id().to_owned()));
            calls += 1;
            match due.next {
                Some(next) => assert_eq!(next, stage.now(), "{backend}"),
                None => break,
            }
        }
        assert_eq!(calls, 3, "{backend}");
        handed.sort();
        assert_eq!(handed, names, "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_left_retrying_is_not_handed_over() {
    let stage = in_memory().await;
    failed(&stage, &["killed", "paused", "started", "given_up", "waiting"]).await;
    let agent = |id| stage.orchestra.agent(id);
    agent("killed").kill().await.unwrap();
    assert_eq!(agent("paused").pause().await.unwrap().next_retry_at, None);
    agent("started").start().await.unwrap();
    agent("given_up").fail("enough").await.unwrap();
    stage.pass(Duration::from_mins(1));
    assert_eq!(ids(&stage.due().await), ["waiting"]);
}

#[tokio::test]
async fn an_agent_waits_for_its_swarm_to_be_resumed() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        failed(&stage, &["a"]).await;
        let swarm = stage.orchestra.swarm("s");
        swarm.pause().await.unwrap();
        stage.pass(Duration::from_secs(2));
        let due = stage.due().await;
        assert_eq!((due.agents.len(), due.held, due.next), (0, 1, None), "{backend}");
        swarm.resume().await.unwrap();
        assert_eq!(ids(&stage.due().await), ["a"], "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_is_given_up_when_its_swarm_is_over_or_gone() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        failed(&stage, &["a", "b"]).await;
        let swarm = stage.orchestra.swarm("s");
        let destroyed = swarm.destroy().await.unwrap();
        stage.pass(Duration::from_secs(2));
        let due = stage.due().await;
        assert_eq!((due.agents.len(), due.given_up), (0, 2), "{backend}");
        let over = swarm.get().await.unwrap();
        assert_eq!((over.status, over.metrics.failed), (SwarmStatus::Destroyed, 2), "{backend}");
        assert_eq!(over.completed_at, destroyed.completed_at);
        assert_eq!(over.metrics, recount(&stage, "s").await);
        let given_up = stage.orchestra.agent("a").get().await.unwrap();
        assert_eq!(given_up.status, AgentStatus::Failed);
        assert_eq!(given_up.last_error.as_deref(), Some("broken"));

        let lonely = stage.swarm("t").await;
        let agent = running(&lonely, NewAgent::new("work").with_model("m")).await;
        agent.fail("broken").await.unwrap();
        let swarm = lonely.get().await.unwrap();
        stage.store.kind::<Swarm>().delete(&swarm).await.unwrap();
        stage.pass(Duration::from_secs(2));
        assert_eq!(stage.due().await.given_up, 1, "{backend}");
        assert_eq!(agent.get().await.unwrap().status, AgentStatus::Failed, "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_of_no_swarm_comes_due() {
    let stage = in_memory().await;
    let agent = stage.orchestra.agents().create(agent().called("a")).await.unwrap();
    agent.start().await.unwrap();
    agent.fail("broken").await.unwrap();
    stage.pass(Duration::from_secs(2));
    assert_eq!(ids(&stage.due().await), ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_agent_is_handed_over_once_however_many_look() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let names: Vec<_> = (0..40).map(|n| format!("a{n:02}")).collect();
        failed(&stage, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        stage.pass(Duration::from_secs(2));
        let looking: tokio::task::JoinSet<_> = (0..4)
            .map(|_| {
                let retries = stage.retries();
                async move { retries.due().await.unwrap() }
            })
            .collect();
        let mut handed: Vec<_> = within(looking.join_all())
            .await
            .iter()
            .flat_map(|due| due.agents.iter().map(|agent| agent.id().to_owned()))
            .collect();
        let rest = stage.due().await;
        handed.extend(rest.agents.iter().map(|agent| agent.id().to_owned()));
        handed.sort();
        assert_eq!(handed, names, "{backend}");
        let spawned = versions(&stage.orchestra.swarm("s")).await;
        assert_eq!(spawned.last().unwrap().metrics.at_work(), 40);
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_retry_says_in_the_history_why_it_happened() {
    let stage = in_memory().await;
    failed(&stage, &["a"]).await;
    stage.pass(Duration::from_secs(2));
    stage.due().await;
    let newest = stage.orchestra.agent("a").history(Page::first(1)).await.unwrap().items.remove(0);
    let newest = newest.unwrap().version;
    assert_eq!(newest.reason.as_deref(), Some("its time to be tried again has come"));
    assert_eq!(newest.actor, Some(outlast_core::Actor::System));
}

#[tokio::test]
async fn an_agent_that_cannot_be_read_hides_no_other() {
    let stage = in_memory().await;
    failed(&stage, &["a", "c"]).await;
    let broken = stage.store.kind::<outlast_core::Agent>().get("a").await.unwrap();
    let mut draft = stage.store.draft();
    let outlast_core::Op::Put(mut put) = broken.next(&broken).unwrap() else { panic!() };
    put.state = outlast_core::Json::parse(r#"{"status": "retrying"}"#).unwrap();
    draft.op(outlast_core::Op::Put(put));
    draft.commit().await.unwrap();
    stage.pass(Duration::from_secs(2));
    let due = stage.retries().due().await.unwrap();
    assert_eq!(ids(&due), ["c"]);
    assert_eq!(due.problems.len(), 1);
    assert!(due.problems[0].to_string().contains("agent/a"), "{:?}", due.problems);
}

#[tokio::test]
async fn an_agent_does_not_wait_for_a_clock_that_was_put_back() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        failed(&stage, &["a"]).await;
        let before = stage.now();
        stage.clock.jump_to(before.minus(Duration::from_mins(50)));
        let due = stage.due().await;
        let at = stage.now().plus(Duration::from_secs(2));
        assert_eq!((due.agents.len(), due.next), (0, Some(at)), "{backend}");
        let version = stage.orchestra.agent("a").get().await.unwrap().version;
        stage.due().await;
        assert_eq!(stage.orchestra.agent("a").get().await.unwrap().version, version, "{backend}");
        stage.pass(Duration::from_secs(2));
        assert_eq!(ids(&stage.due().await), ["a"], "{backend}");
        stage.store.close().await.unwrap();
    }
}
