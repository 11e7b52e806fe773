//! When a swarm is over, and how.

use outlast_core::{AgentStatus, ErrorKind, Status, Swarm, SwarmMetrics, SwarmStatus};

use crate::support::{
    BACKENDS, Stage, agent, agents_of, in_memory, recount, running, stage, versions,
};

/// How an agent ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Completes,
    Fails,
    IsKilled,
}

const ENDS: [End; 3] = [End::Completes, End::Fails, End::IsKilled];

/// A swarm whose agents end in this order.
async fn play(stage: &Stage, id: &str, ends: &[End]) -> SwarmStatus {
    let swarm = stage.swarm(id).await;
    let mut agents = Vec::new();
    for _ in ends {
        agents.push(running(&swarm, agent().with_retries(0)).await);
    }
    for (agent, end) in agents.iter().zip(ends) {
        assert_eq!(swarm.get().await.unwrap().status, SwarmStatus::Active);
        match end {
            End::Completes => agent.complete().await.unwrap(),
            End::Fails => agent.fail("broken").await.unwrap(),
            End::IsKilled => agent.kill().await.unwrap(),
        };
    }
    let over = swarm.get().await.unwrap();
    assert_eq!(over.completed_at, Some(stage.now()));
    assert_eq!(over.metrics, recount(stage, id).await);
    over.status
}

#[tokio::test]
async fn a_swarm_completes_with_its_last_agent_if_any_completed() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        for first in ENDS {
            for second in ENDS {
                for third in ENDS {
                    let ends = [first, second, third];
                    let status = play(&stage, &format!("{ends:?}"), &ends).await;
                    let completed = ends.contains(&End::Completes);
                    let expected =
                        if completed { SwarmStatus::Completed } else { SwarmStatus::Failed };
                    assert_eq!(status, expected, "{backend}: {ends:?}");
                }
            }
        }
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_end_of_the_last_agent_is_the_commit_that_ends_the_swarm_and_tells_of_both() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        let agent = running(&swarm, agent().called("a")).await;
        let mut revision = outlast_core::Revision::ZERO;
        loop {
            let page = stage.store.changes(revision, 100).await.unwrap();
            let Some(last) = page.items.last() else { break };
            revision = last.revision;
        }
        agent.complete().await.unwrap();
        let changes = stage.store.changes(revision, 100).await.unwrap().items;
        assert_eq!(changes.len(), 1, "{backend}: {changes:?}");
        let keys = changes[0].versions.iter().map(|version| version.as_ref().unwrap());
        let mut keys: Vec<_> = keys.map(|version| version.key.to_string()).collect();
        keys.sort();
        assert_eq!(keys, ["agent/a", "swarm/s"], "{backend}");
        let (_, first, last) = &changes[0].appended[0];
        assert_eq!(last.0 - first.0, 1, "{backend}: both are told");
        assert_eq!(stage.told().await, ["complete of agent/a", "complete of swarm/s"]);
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_failure_that_is_tried_again_ends_nothing() {
    let stage = in_memory().await;
    let swarm = stage.swarm("s").await;
    let agent = running(&swarm, agent().with_retries(1)).await;
    agent.fail("broken").await.unwrap();
    assert_eq!(swarm.get().await.unwrap().status, SwarmStatus::Active);
    agent.start().await.unwrap();
    agent.fail("broken").await.unwrap();
    let over = swarm.get().await.unwrap();
    assert_eq!(over.status, SwarmStatus::Failed);
    let error = over.error.as_deref().unwrap();
    assert_eq!(error, "none of its 1 agents completed: 1 failed, 0 were killed");
}

#[tokio::test]
async fn a_swarm_without_agents_goes_on() {
    let stage = in_memory().await;
    let swarm = stage.swarm("s").await;
    swarm.pause().await.unwrap();
    assert_eq!(swarm.resume().await.unwrap().status, SwarmStatus::Active);
}

#[tokio::test]
async fn a_paused_swarm_ends_when_it_is_resumed() {
    for (ends_well, expected) in [(true, SwarmStatus::Completed), (false, SwarmStatus::Failed)] {
        let stage = in_memory().await;
        let swarm = stage.swarm("s").await;
        let agent = running(&swarm, agent().with_retries(0)).await;
        swarm.pause().await.unwrap();
        if ends_well {
            agent.complete().await.unwrap();
        } else {
            agent.fail("broken").await.unwrap();
        }
        assert_eq!(swarm.get().await.unwrap().status, SwarmStatus::Paused);
        let resumed = swarm.resume().await.unwrap();
        assert_eq!((resumed.status, resumed.completed_at), (expected, Some(stage.now())));
    }
}

#[tokio::test]
async fn a_swarm_does_not_end_while_it_is_made_or_scaled_but_when_it_is_active_again() {
    let stage = in_memory().await;
    let swarm = stage.new_swarm("made", 5).await;
    running(&swarm, agent()).await.complete().await.unwrap();
    assert_eq!(swarm.get().await.unwrap().status, SwarmStatus::Creating);
    assert_eq!(swarm.activate().await.unwrap().status, SwarmStatus::Completed);

    let swarm = stage.swarm("scaled").await;
    let only = running(&swarm, agent()).await;
    swarm.scale(1).await.unwrap();
    only.kill().await.unwrap();
    running(&swarm, agent()).await;
    assert_eq!(swarm.activate().await.unwrap().status, SwarmStatus::Active);
}

#[tokio::test]
async fn completing_and_killing_twice_is_once_and_the_first_wins() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        running(&swarm, agent()).await;
        let killed = running(&swarm, agent()).await;
        let done = running(&swarm, agent()).await;
        let first = killed.kill().await.unwrap();
        stage.pass(std::time::Duration::from_secs(1));
        for late in [killed.complete().await.unwrap(), killed.kill().await.unwrap()] {
            assert_eq!((late.version, late.status), (first.version, AgentStatus::Killed));
        }
        let first = done.complete().await.unwrap();
        for late in [done.kill().await.unwrap(), done.complete().await.unwrap()] {
            assert_eq!((late.version, late.status), (first.version, AgentStatus::Completed));
        }
        let metrics = swarm.get().await.unwrap().metrics;
        assert_eq!(metrics, SwarmMetrics { total: 3, completed: 1, failed: 0, killed: 1 });
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn destroying_sets_when_it_was_over_unless_it_was_before_and_happens_once() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("live").await;
        let destroyed = swarm.destroy().await.unwrap();
        assert_eq!(destroyed.completed_at, Some(stage.now()), "{backend}");
        stage.pass(std::time::Duration::from_secs(1));
        let again = swarm.destroy().await.unwrap();
        assert_eq!(
            (again.version, again.completed_at),
            (destroyed.version, destroyed.completed_at)
        );

        let swarm = stage.swarm("over").await;
        let over = swarm.complete().await.unwrap().completed_at;
        stage.pass(std::time::Duration::from_secs(1));
        assert_eq!(swarm.destroy().await.unwrap().completed_at, over, "{backend}");
        let told = stage.told().await;
        let destroyed = told.iter().filter(|event| event.starts_with("destroy")).count();
        assert_eq!(destroyed, 2, "{backend}: {told:?}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn agents_of_a_swarm_that_was_given_up_are_counted_but_not_tried_again() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        let (one, two) = (running(&swarm, agent()).await, running(&swarm, agent()).await);
        let failed = swarm.fail("no money").await.unwrap();
        assert_eq!(failed.error.as_deref(), Some("no money"));
        one.complete().await.unwrap();
        let given_up = two.fail("broken").await.unwrap();
        assert_eq!(given_up.status, AgentStatus::Failed, "{backend}");
        let over = swarm.get().await.unwrap();
        assert_eq!(over.status, SwarmStatus::Failed);
        assert_eq!(over.completed_at, failed.completed_at);
        assert_eq!(over.metrics, SwarmMetrics { total: 2, completed: 1, failed: 1, killed: 0 });
        let refusal = two.retry().await.unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::IllegalTransition);
        assert!(refusal.to_string().contains("failed"), "{refusal}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_outlives_its_swarm() {
    let stage = in_memory().await;
    let swarm = stage.swarm("s").await;
    let agent = running(&swarm, agent()).await;
    let destroyed = swarm.destroy().await.unwrap();
    stage.store.kind::<Swarm>().delete(&destroyed).await.unwrap();
    assert_eq!(agent.complete().await.unwrap().status, AgentStatus::Completed);
}

#[tokio::test]
async fn the_history_of_a_swarm_tells_how_it_came_to_its_end() {
    use SwarmStatus::{Active, Completed, Creating};

    let stage = in_memory().await;
    let swarm = stage.swarm("s").await;
    for _ in 0..3 {
        running(&swarm, agent()).await;
    }
    for agent in agents_of(&stage, "s").await {
        stage.orchestra.agent(agent.id()).complete().await.unwrap();
    }
    let counts: Vec<_> = versions(&swarm)
        .await
        .iter()
        .map(|swarm| (swarm.status, swarm.metrics.total, swarm.metrics.completed))
        .collect();
    let expected = [
        (Creating, 0, 0),
        (Active, 0, 0),
        (Active, 1, 0),
        (Active, 2, 0),
        (Active, 3, 0),
        (Active, 3, 1),
        (Active, 3, 2),
        (Completed, 3, 3),
    ];
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn reconciling_counts_anew_and_changes_nothing_that_is_right() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        for end in AgentStatus::ALL {
            crate::support::agent_in(&swarm, *end).await;
        }
        let right = swarm.get().await.unwrap();
        assert_eq!(swarm.reconcile().await.unwrap().version, right.version, "{backend}");
        let spoil = |swarm: &mut Swarm| {
            swarm.metrics = SwarmMetrics { total: 70, completed: 0, failed: 5, killed: 9 };
            swarm.needs_reconcile = true;
            Ok(())
        };
        stage.store.kind::<Swarm>().update("s", spoil).await.unwrap();
        let reconciled = swarm.reconcile().await.unwrap();
        assert_eq!(*reconciled, *right, "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn reconciling_ends_a_swarm_whose_agents_are_over() {
    let stage = in_memory().await;
    let swarm = stage.swarm("s").await;
    running(&swarm, agent()).await.complete().await.unwrap();
    let version = swarm.get().await.unwrap().version.n;
    // Back to the moment before its only agent ended, which did end.
    stage.store.kind::<Swarm>().rollback_to("s", version - 1).await.unwrap();
    assert_eq!(swarm.get().await.unwrap().status, SwarmStatus::Active);
    assert_eq!(swarm.reconcile().await.unwrap().status, SwarmStatus::Completed);
}

#[tokio::test]
async fn a_swarm_that_is_to_be_reconciled_ends_when_it_was() {
    let stage = in_memory().await;
    let swarm = stage.swarm("s").await;
    let agent = running(&swarm, agent()).await;
    let mark = |swarm: &mut Swarm| {
        swarm.needs_reconcile = true;
        Ok(())
    };
    stage.store.kind::<Swarm>().update("s", mark).await.unwrap();
    agent.complete().await.unwrap();
    assert_eq!(swarm.get().await.unwrap().status, SwarmStatus::Active);
    let reconciled = swarm.reconcile().await.unwrap();
    assert_eq!((reconciled.status, reconciled.needs_reconcile), (SwarmStatus::Completed, false));
}
