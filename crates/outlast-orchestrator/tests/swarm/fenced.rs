//! Retries by right of driving the store.

use std::time::Duration;

use outlast_core::{AgentStatus, ErrorKind, Lease, SwarmStatus};
use outlast_orchestrator::Instance;

use crate::support::{BACKENDS, agent, running, stage};

#[tokio::test]
async fn who_lost_the_right_to_drive_moves_nothing() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let instance = Instance::acquire(&stage.store, false).await.unwrap();
        let retries = stage.retries().under(&instance);
        let swarm = stage.swarm("s").await;
        let one = running(&swarm, agent()).await;
        one.fail("broken").await.unwrap();
        stage.pass(Duration::from_secs(2));
        assert_eq!(retries.due().await.unwrap().agents.len(), 1, "{backend}");

        one.start().await.unwrap();
        one.fail("broken").await.unwrap();
        let other = running(&swarm, agent()).await;
        other.fail("broken").await.unwrap();
        stage.store.kind::<Lease>().update("run", |_| Ok(())).await.unwrap();
        stage.pass(Duration::from_secs(4));
        let refusal = retries.due().await.unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::Fenced, "{backend}: {refusal}");
        swarm.destroy().await.unwrap();
        assert_eq!(retries.due().await.unwrap_err().kind(), ErrorKind::Fenced, "{backend}");
        for agent in [&one, &other] {
            assert_eq!(agent.get().await.unwrap().status, AgentStatus::Retrying, "{backend}");
        }
        assert_eq!(swarm.get().await.unwrap().metrics.failed, 0);
        // A user needs no such right.
        assert_eq!(swarm.get().await.unwrap().status, SwarmStatus::Destroyed);
        stage.store.close().await.unwrap();
    }
}
