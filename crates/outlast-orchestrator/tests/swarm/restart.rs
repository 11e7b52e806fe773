//! What the next process finds.

use std::time::Duration;

use outlast_core::{Agent, AgentStatus, Swarm, SwarmStatus};

use crate::support::{Stage, agent, agents_of, recount, running, stage};

#[tokio::test]
async fn a_retry_keeps_its_time_over_a_restart_and_comes_due_just_then() {
    for backend in ["sqlite", "sled"] {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        let one = running(&swarm, agent().called("a")).await;
        one.fail("broken").await.unwrap();
        one.start().await.unwrap();
        let at = one.fail("broken").await.unwrap().next_retry_at.unwrap();
        assert_eq!(at, stage.now().plus(Duration::from_secs(4)));
        stage.pass(Duration::from_secs(3));

        let stage = stage.reopened().await;
        assert_eq!(stage.orchestra.agent("a").get().await.unwrap().next_retry_at, Some(at));
        let due = stage.due().await;
        assert_eq!((due.agents.len(), due.next), (0, Some(at)), "{backend}");
        stage.pass(Duration::from_micros(999_999));
        assert!(stage.due().await.agents.is_empty(), "{backend}");
        stage.pass(Duration::from_micros(1));
        assert_eq!(stage.due().await.agents.len(), 1, "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_retry_whose_time_passed_meanwhile_is_due_at_once() {
    for backend in ["sqlite", "sled"] {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        running(&swarm, agent().called("a")).await.fail("broken").await.unwrap();
        stage.pass(Duration::from_mins(30));
        let stage = stage.reopened().await;
        assert_eq!(stage.due().await.agents.len(), 1, "{backend}");
        let stage = stage.reopened().await;
        assert!(stage.due().await.agents.is_empty(), "{backend}: handed over once");
        let found = stage.orchestra.agent("a").get().await.unwrap();
        assert_eq!(found.status, AgentStatus::Spawning, "{backend}: recovery finds it so");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_swarm_goes_on_where_it_was() {
    for backend in ["sqlite", "sled"] {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        let one = running(&swarm, agent().called("a")).await;
        running(&swarm, agent().called("b")).await;
        one.complete().await.unwrap();
        swarm.pause().await.unwrap();
        let stage = stage.reopened().await;
        let swarm = stage.orchestra.swarm("s");
        let found = swarm.get().await.unwrap();
        assert_eq!(found.status, SwarmStatus::Paused, "{backend}");
        assert_eq!(found.metrics, recount(&stage, "s").await, "{backend}");
        swarm.resume().await.unwrap();
        stage.orchestra.agent("b").complete().await.unwrap();
        assert_eq!(swarm.get().await.unwrap().status, SwarmStatus::Completed, "{backend}");
        stage.store.close().await.unwrap();
    }
}

/// The states of the swarm and its agents, and what is told.
async fn content(stage: &Stage) -> (Swarm, Vec<(String, Agent)>, Vec<String>) {
    let agents = agents_of(stage, "s").await;
    let agents = agents.into_iter().map(|agent| (agent.id().to_owned(), agent.into_value()));
    let swarm = stage.orchestra.swarm("s").get().await.unwrap().into_value();
    (swarm, agents.collect(), stage.told().await)
}

#[tokio::test]
async fn what_was_answered_is_found_after_a_crash_with_all_that_belongs_to_it() {
    for backend in ["sqlite", "sled"] {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        let agent = |id: &str| stage.orchestra.agent(id);
        for id in ["a", "b", "c"] {
            running(&swarm, crate::support::agent().called(id).with_retries(1)).await;
        }
        for step in 0..6 {
            match step {
                0 => drop(agent("a").complete().await.unwrap()),
                1 => drop(agent("b").fail("broken").await.unwrap()),
                2 => stage.pass(Duration::from_secs(2)),
                3 => assert_eq!(stage.due().await.agents.len(), 1),
                4 => drop(agent("b").give_up("broken").await.unwrap()),
                _ => drop(agent("c").kill().await.unwrap()),
            }
            let found = stage.crashed().await;
            assert_eq!(content(&found).await, content(&stage).await, "{backend}, step {step}");
            let counted = found.orchestra.swarm("s").get().await.unwrap().metrics;
            assert_eq!(counted, recount(&found, "s").await, "{backend}, step {step}");
            found.store.close().await.unwrap();
        }
        assert_eq!(swarm.get().await.unwrap().status, SwarmStatus::Completed, "{backend}");
        stage.store.close().await.unwrap();
    }
}
