//! What the next process finds.

use std::time::Duration;

use outlast_core::{AgentStatus, SwarmStatus};

use crate::support::{agent, recount, running, stage};

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
