//! Operations on a version that the caller names.

use outlast_core::{AgentStatus, ErrorKind, SwarmStatus, Version};
use outlast_orchestrator::swarm::Orchestra;
use outlast_store::{Store, StoreOptions};

use crate::support::{BACKENDS, agent, running, stage, within};

#[tokio::test]
async fn a_version_that_was_superseded_is_refused_and_never_tried_again() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        running(&swarm, agent()).await;
        let agent = running(&swarm, agent()).await;
        let seen = agent.get().await.unwrap().version;
        agent.pause().await.unwrap();
        let present = agent.get().await.unwrap().version;
        let at = agent.at(seen);
        let refusals = [
            at.resume().await.unwrap_err(),
            at.kill().await.unwrap_err(),
            at.complete().await.unwrap_err(),
            at.fail("broken").await.unwrap_err(),
            at.retry().await.unwrap_err(),
            at.spawn().await.unwrap_err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.kind(), ErrorKind::Conflict, "{backend}: {refusal}");
            let mismatch = refusal.mismatch().unwrap();
            assert_eq!(mismatch.key.to_string(), format!("agent/{}", agent.id()));
            assert_eq!((mismatch.expected, mismatch.actual), (Some(seen), Some(present)));
        }
        assert_eq!(agent.get().await.unwrap().version, present, "{backend}");
        let resumed = agent.at(present).resume().await.unwrap();
        assert_eq!(resumed.status, AgentStatus::Running, "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_swarm_of_another_version_is_left_as_it_is() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.new_swarm("s", 5).await;
        let seen = swarm.get().await.unwrap().version;
        swarm.activate().await.unwrap();
        let at = swarm.at(seen);
        let refusals = [
            at.pause().await.unwrap_err(),
            at.resume().await.unwrap_err(),
            at.scale(1).await.unwrap_err(),
            at.destroy().await.unwrap_err(),
            at.spend(1).await.unwrap_err(),
            at.add(agent()).await.unwrap_err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.kind(), ErrorKind::Conflict, "{backend}: {refusal}");
        }
        let ahead = Version { n: seen.n + 7, ..seen };
        assert_eq!(swarm.at(ahead).pause().await.unwrap_err().kind(), ErrorKind::Conflict);
        let present = swarm.get().await.unwrap();
        assert_eq!((present.status, present.version.n), (SwarmStatus::Active, 2), "{backend}");
        swarm.at(present.version).add(agent()).await.unwrap();
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_absent_entity_is_not_found_whatever_version_is_named() {
    let stage = crate::support::in_memory().await;
    let version = stage.swarm("s").await.get().await.unwrap().version;
    let nobody = stage.orchestra.agent("nobody");
    assert_eq!(nobody.kill().await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(nobody.at(version).start().await.unwrap_err().kind(), ErrorKind::NotFound);
    let none = stage.orchestra.swarm("none");
    assert_eq!(none.add(agent()).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(none.destroy().await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_name_one_version_one_succeeds() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        running(&swarm, agent()).await;
        let agent = running(&swarm, agent()).await;
        let seen = agent.get().await.unwrap().version;
        let racing: tokio::task::JoinSet<_> = (0..8)
            .map(|_| {
                let agent = agent.at(seen);
                async move { agent.pause().await.map(drop).map_err(|error| error.kind()) }
            })
            .collect();
        let mut answers = within(racing.join_all()).await;
        answers.sort_by_key(Result::is_err);
        let mut expected = vec![Err(ErrorKind::Conflict); 8];
        expected[0] = Ok(());
        assert_eq!(answers, expected, "{backend}");
        stage.store.close().await.unwrap();
    }
}

/// The swarm changes under an agent whose version the caller named: that is not the caller's
/// concern.
#[tokio::test(flavor = "multi_thread")]
async fn the_version_of_the_agent_is_all_that_is_compared() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        running(&swarm, agent()).await;
        let mut agents = Vec::new();
        for _ in 0..16 {
            agents.push(running(&swarm, agent()).await);
        }
        let mut ending = tokio::task::JoinSet::new();
        for agent in agents {
            let version = agent.get().await.unwrap().version;
            ending.spawn(async move { agent.at(version).complete().await.unwrap().status });
        }
        let ended = within(ending.join_all()).await;
        assert_eq!(ended, [AgentStatus::Completed; 16], "{backend}");
        assert_eq!(swarm.get().await.unwrap().metrics.completed, 16, "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn where_locking_is_off_no_version_is_compared_and_the_counts_are_right_all_the_same() {
    let stage = crate::support::in_memory().await;
    let options = StoreOptions { locking: false, ..StoreOptions::default() };
    let store = Store::open(stage.store.backend().clone(), options);
    let orchestra = Orchestra::new(&store);
    let swarm = stage.swarm("s").await;
    running(&swarm, agent()).await;
    let mut agents = Vec::new();
    for _ in 0..8 {
        agents.push(running(&swarm, agent()).await);
    }
    let mut ending = tokio::task::JoinSet::new();
    for agent in agents {
        let agent = orchestra.agent(agent.id());
        let version = agent.get().await.unwrap().version;
        agent.pause().await.unwrap();
        assert_eq!(agent.at(version).resume().await.unwrap().status, AgentStatus::Running);
        ending.spawn(async move { agent.complete().await.unwrap().status });
    }
    within(ending.join_all()).await;
    assert_eq!(swarm.get().await.unwrap().metrics.completed, 8);
}
