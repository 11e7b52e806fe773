//! What is found, and in which order.

use std::time::Duration;

use outlast_core::{AgentStatus, Entity, ErrorKind, Listed, Page, Result, SwarmConfig};
use outlast_orchestrator::swarm::{NewAgent, NewSession, NewSwarm};
use outlast_store::Stored;

use crate::support::{BACKENDS, agent, agent_in, in_memory, stage};

fn ids<T: Entity>(page: Listed<Result<Stored<T>>>) -> Vec<String> {
    page.items.into_iter().map(|item| item.unwrap().id().to_owned()).collect()
}

#[tokio::test]
async fn the_newest_come_first_whatever_their_ids() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let (swarms, agents) = (stage.orchestra.swarms(), stage.orchestra.agents());
        let sessions = stage.orchestra.sessions();
        for id in ["m", "z", "a"] {
            let swarm = stage.swarm(id).await;
            swarm.add(agent().called(id)).await.unwrap();
            let new = NewSession::new("tree", id).called(id).of_swarm("m");
            sessions.open(new).await.unwrap();
            stage.pass(Duration::from_secs(1));
        }
        let all = Page::first(10);
        assert_eq!(ids(swarms.list(all.clone()).await.unwrap()), ["a", "z", "m"], "{backend}");
        assert_eq!(ids(agents.list(all.clone()).await.unwrap()), ["a", "z", "m"], "{backend}");
        let of_tree = sessions.of_tree("tree", all.clone()).await.unwrap();
        assert_eq!(ids(of_tree), ["a", "z", "m"], "{backend}");
        let of_swarm = sessions.of_swarm("m", all.clone()).await.unwrap();
        assert_eq!(ids(of_swarm), ["a", "z", "m"], "{backend}");
        assert!(ids(sessions.of_swarm("z", all.clone()).await.unwrap()).is_empty());
        stage.orchestra.session("z").close().await.unwrap();
        assert_eq!(ids(sessions.active(all.clone()).await.unwrap()), ["a", "m"], "{backend}");
        assert_eq!(ids(sessions.list(all.clone()).await.unwrap()).len(), 3, "{backend}");
        stage.orchestra.swarm("z").destroy().await.unwrap();
        assert_eq!(ids(swarms.active(all).await.unwrap()), ["a", "m"], "{backend}");

        let first = swarms.list(Page::first(2)).await.unwrap();
        let next = Page::first(2).after(first.next.clone().unwrap());
        assert_eq!(ids(first), ["a", "z"], "{backend}");
        assert_eq!(ids(swarms.list(next).await.unwrap()), ["m"], "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn agents_that_spawn_or_wait_for_a_retry_are_active() {
    use outlast_core::Status;

    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        for status in AgentStatus::ALL {
            agent_in(&swarm, *status).await;
            stage.pass(Duration::from_secs(1));
        }
        let active = stage.orchestra.agents().active(Page::first(100)).await.unwrap();
        let found = active.items.into_iter().map(|agent| agent.unwrap().status);
        let expected = AgentStatus::ALL.iter().rev().filter(|status| !status.is_settled());
        assert_eq!(found.collect::<Vec<_>>(), expected.copied().collect::<Vec<_>>(), "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_gets_what_it_was_given_or_what_its_swarm_has() {
    let stage = in_memory().await;
    let config = SwarmConfig { model: Some("of_swarm".into()), ..SwarmConfig::new("s", "w", 9) };
    let new = NewSwarm::new(config).in_tree("tree", "main");
    let swarm = stage.orchestra.swarms().create(new).await.unwrap();
    let stored = swarm.get().await.unwrap();
    assert_eq!(stored.session_tree_id.as_deref(), Some("tree"));
    assert_eq!(stored.current_branch.as_deref(), Some("main"));
    let plain = swarm.add(NewAgent::new("work")).await.unwrap().get().await.unwrap();
    assert_eq!((plain.model.as_str(), plain.max_retries), ("of_swarm", 3));
    assert_eq!(plain.swarm_id.as_deref(), Some(swarm.id()));
    let metadata = serde_json::json!({"label": "x"});
    let own = agent().with_metadata(metadata.clone()).or_model("b").or_model("c");
    let own = swarm.add(own).await.unwrap().get().await.unwrap();
    assert_eq!((own.model.as_str(), own.metadata.clone()), ("small", Some(metadata)));
    assert_eq!(own.fallback_models, ["b", "c"]);
    let child = swarm.add(agent().made_by(own.id())).await.unwrap();
    let children = stage.orchestra.agents().of_parent(own.id(), Page::first(5)).await.unwrap();
    assert_eq!(ids(children), [child.id()]);

    let refusal = stage.orchestra.agents().create(NewAgent::new("work")).await.unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Invalid);
    let taken = swarm.add(agent().called(own.id())).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Exists);
    assert_eq!(swarm.get().await.unwrap().metrics.total, 3);
}
