//! What becomes of an agent that fails.

use std::time::Duration;

use outlast_core::{Agent, AgentStatus, ErrorKind, SwarmMetrics, SwarmStatus};
use outlast_orchestrator::swarm::AgentHandle;
use outlast_store::Stored;

use crate::support::{BACKENDS, Stage, agent, in_memory, running, stage};

/// Fails an agent, and says how long it waits then.
async fn wait_after_failure(stage: &Stage, agent: &AgentHandle) -> (Stored<Agent>, Duration) {
    let failed = agent.fail("broken").await.unwrap();
    assert_eq!(failed.status, AgentStatus::Retrying);
    let wait = failed.next_retry_at.unwrap().since(stage.now());
    agent.start().await.unwrap();
    (failed, wait)
}

#[tokio::test]
async fn each_retry_waits_twice_as_long_and_none_longer_than_five_minutes() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        let agent = running(&swarm, agent().with_retries(12)).await;
        let mut waits = Vec::new();
        for retry in 1..=12 {
            let (failed, wait) = wait_after_failure(&stage, &agent).await;
            assert_eq!(failed.retry_count, retry, "{backend}");
            waits.push(wait.as_micros());
            stage.pass(Duration::from_secs(1));
        }
        let seconds = [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300];
        assert_eq!(waits, seconds.map(|seconds| seconds * 1_000_000), "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[test]
fn no_number_of_retries_overflows() {
    for retry in [9, 31, 32, 63, 64, 65, u32::MAX] {
        assert_eq!(Agent::retry_delay(retry), Agent::MAX_RETRY_DELAY, "{retry}");
    }
}

#[tokio::test]
async fn an_agent_out_of_retries_is_escalated_and_its_new_model_is_stored() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        let new = agent().called("a").with_retries(1).or_model("medium").or_model("large");
        let agent = running(&swarm, new).await;
        let mut seen = Vec::new();
        for _ in 0..5 {
            let (failed, wait) = wait_after_failure(&stage, &agent).await;
            seen.push((failed.model.clone(), failed.retry_count, wait.as_secs()));
        }
        let expected =
            [("small", 1, 2), ("medium", 0, 1), ("medium", 1, 2), ("large", 0, 1), ("large", 1, 2)];
        assert_eq!(seen, expected.map(|(model, retry, wait)| (model.to_owned(), retry, wait)));

        let stage = if backend == "memory" { stage } else { stage.reopened().await };
        let agent = stage.orchestra.agent("a");
        let stored = agent.get().await.unwrap();
        assert_eq!((stored.model.as_str(), stored.fallback_models.len()), ("large", 0));
        let given_up = agent.fail("broken for good").await.unwrap();
        assert_eq!(given_up.status, AgentStatus::Failed, "{backend}");
        assert_eq!(given_up.last_error.as_deref(), Some("broken for good"));
        assert_eq!(given_up.completed_at, Some(stage.now()));
        assert_eq!(given_up.next_retry_at, None);
        let told = stage.told().await;
        let expected = ["retry", "escalated", "retry", "escalated", "retry", "fail"];
        assert_eq!(told[..6], expected.map(|action| format!("{action} of agent/a")), "{backend}");
        assert_eq!(told[6], "fail of swarm/s");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_that_may_not_be_tried_again_is_given_up_at_once() {
    let stage = in_memory().await;
    let swarm = stage.swarm("s").await;
    let agent = running(&swarm, agent().with_retries(0)).await;
    let given_up = agent.fail("broken").await.unwrap();
    assert_eq!((given_up.status, given_up.retry_count), (AgentStatus::Failed, 0));
}

#[tokio::test]
async fn failing_does_not_wait_for_the_retry() {
    // The clock never moves here, so whatever waited for the time of the retry would hang.
    let stage = in_memory().await;
    let swarm = stage.swarm("s").await;
    let agent = running(&swarm, agent().with_retries(9)).await;
    for _ in 0..9 {
        crate::support::within(agent.fail("broken")).await.unwrap();
        crate::support::within(agent.start()).await.unwrap();
    }
}

#[tokio::test]
async fn an_explicit_retry_leads_out_of_failed_once_and_is_counted() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        running(&swarm, agent()).await;
        let agent = running(&swarm, agent().with_retries(0)).await;
        agent.fail("broken").await.unwrap();
        let metrics = swarm.get().await.unwrap().metrics;
        assert_eq!(metrics, SwarmMetrics { total: 2, completed: 0, failed: 1, killed: 0 });

        let retried = agent.retry().await.unwrap();
        assert_eq!((retried.status, retried.retry_count), (AgentStatus::Retrying, 1));
        assert_eq!(retried.next_retry_at, Some(stage.now()));
        assert_eq!((retried.completed_at, retried.runtime_ms), (None, None));
        let metrics = swarm.get().await.unwrap().metrics;
        assert_eq!((metrics.total, metrics.failed), (2, 0), "{backend}");
        assert_eq!(stage.due().await.agents.len(), 1, "{backend}");

        agent.start().await.unwrap();
        // Its retries are used up, so it has had its one more chance.
        assert_eq!(agent.fail("broken").await.unwrap().status, AgentStatus::Failed);
        assert_eq!(swarm.get().await.unwrap().metrics.failed, 1, "{backend}");
        let queued = agent.requeue().await.unwrap();
        assert_eq!((queued.status, queued.next_retry_at), (AgentStatus::Pending, None));
        assert_eq!(queued.retry_count, 2);
        assert!(stage.due().await.agents.is_empty());
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_explicit_retry_needs_a_swarm_that_goes_on_and_has_room() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.new_swarm("full", 1).await;
        let failed = running(&swarm, agent()).await;
        failed.pause().await.unwrap();
        failed.fail("broken").await.unwrap();
        let next = running(&swarm, agent()).await;
        swarm.activate().await.unwrap();
        assert_eq!(failed.retry().await.unwrap_err().kind(), ErrorKind::TooLarge, "{backend}");
        swarm.scale(1).await.unwrap();
        next.kill().await.unwrap();
        failed.retry().await.unwrap();

        let swarm = stage.swarm("over").await;
        let last = running(&swarm, agent().with_retries(0)).await;
        last.fail("broken").await.unwrap();
        assert_eq!(swarm.get().await.unwrap().status, SwarmStatus::Failed);
        let refusal = last.retry().await.unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::IllegalTransition, "{backend}");
        assert_eq!(last.requeue().await.unwrap_err().kind(), ErrorKind::IllegalTransition);
        assert_eq!(swarm.get().await.unwrap().metrics.failed, 1);
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_plain_transition_does_not_lead_out_of_failed() {
    let stage = in_memory().await;
    let swarm = stage.swarm("s").await;
    running(&swarm, agent()).await;
    let agent = running(&swarm, agent().with_retries(0)).await;
    agent.fail("broken").await.unwrap();
    let agents = stage.store.kind::<Agent>();
    for to in [AgentStatus::Retrying, AgentStatus::Pending] {
        let refusal = agents.transition(agent.id(), to).await.unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::IllegalTransition);
    }
}

#[tokio::test]
async fn no_error_is_too_long_or_too_strange_to_fail_with() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        let long = "\u{1}\"\\ü\n".repeat(100_000);
        let new = agent().with_model(long.clone()).or_model(long.clone()).with_retries(0);
        let agent = running(&swarm, new).await;
        assert_eq!(agent.fail(&long).await.unwrap().status, AgentStatus::Retrying);
        agent.start().await.unwrap();
        let given_up = agent.fail(&long).await.unwrap();
        assert_eq!(given_up.status, AgentStatus::Failed, "{backend}");
        let kept = given_up.last_error.clone().unwrap();
        assert!(kept.len() <= 4096 && long.starts_with(&kept), "{backend}");
        let swarm = stage.swarm("t").await;
        assert!(swarm.fail(&long).await.unwrap().error.clone().unwrap().len() <= 4096);
        stage.store.close().await.unwrap();
    }
}
