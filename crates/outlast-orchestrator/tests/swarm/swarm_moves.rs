//! Every operation on a swarm in every state.

use std::time::Duration;

use outlast_core::SwarmStatus::{
    self, Active, Completed, Creating, Destroyed, Failed, Paused, Scaling,
};
use outlast_core::{ErrorKind, Result, Status, Swarm, SwarmConfig};
use outlast_orchestrator::swarm::SwarmHandle;
use outlast_store::Stored;

use crate::support::{BACKENDS, Stage, agent, in_memory, stage};

struct Operation {
    name: &'static str,
    to: SwarmStatus,
    from: &'static [SwarmStatus],
}

const OPERATIONS: &[Operation] = &[
    Operation { name: "activate", to: Active, from: &[Creating, Scaling] },
    Operation { name: "scale", to: Scaling, from: &[Active] },
    Operation { name: "pause", to: Paused, from: &[Active, Scaling] },
    Operation { name: "resume", to: Active, from: &[Paused] },
    Operation { name: "complete", to: Completed, from: &[Active, Paused] },
    Operation { name: "fail", to: Failed, from: &[Creating, Active, Scaling, Paused] },
    Operation {
        name: "destroy",
        to: Destroyed,
        from: &[Creating, Active, Scaling, Paused, Completed, Failed, Destroyed],
    },
];

async fn perform(name: &str, swarm: &SwarmHandle) -> Result<Stored<Swarm>> {
    match name {
        "activate" => swarm.activate().await,
        "scale" => swarm.scale(5).await,
        "pause" => swarm.pause().await,
        "resume" => swarm.resume().await,
        "complete" => swarm.complete().await,
        "fail" => swarm.fail("it broke").await,
        "destroy" => swarm.destroy().await,
        other => panic!("no operation {other}"),
    }
}

/// A swarm in some state, brought there by operations.
async fn swarm_in(stage: &Stage, id: &str, status: SwarmStatus) -> SwarmHandle {
    let swarm = stage.new_swarm(id, 10).await;
    let path: &[&str] = match status {
        Creating => &[],
        Active => &["activate"],
        Scaling => &["activate", "scale"],
        Paused => &["activate", "pause"],
        Completed => &["activate", "complete"],
        Failed => &["fail"],
        Destroyed => &["destroy"],
    };
    for name in path {
        perform(name, &swarm).await.unwrap();
    }
    assert_eq!(swarm.get().await.unwrap().status, status);
    swarm
}

async fn check(stage: &Stage, operation: &Operation, from: SwarmStatus) {
    let Operation { name, to, from: starts } = operation;
    let what = format!("{}: {name} from {}", stage.backend, from.as_str());
    let swarm = swarm_in(stage, &format!("{name}-{}", from.as_str()), from).await;
    let (before, told) = (swarm.get().await.unwrap(), stage.told().await.len());
    stage.pass(Duration::from_millis(10));

    let answer = perform(name, &swarm).await;

    let after = swarm.get().await.unwrap();
    if starts.contains(&from) {
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((answer.status, after.status), (*to, *to), "{what}");
        assert_eq!((&*answer, answer.version), (&*after, after.version), "{what}");
        assert_eq!(after.version.n, before.version.n + u64::from(*to != from), "{what}");
        assert!(*to == from || from.can_become(*to), "{what}");
        let over = before.completed_at.or(to.is_settled().then(|| stage.now()));
        assert_eq!(after.completed_at, over, "{what}");
        let is_told = to.is_settled() && *to != from;
        assert_eq!(stage.told().await.len(), told + usize::from(is_told), "{what}");
    } else {
        let refusal = answer.unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::IllegalTransition, "{what}: {refusal}");
        for status in [from, *to] {
            assert!(refusal.to_string().contains(status.as_str()), "{what}: {refusal}");
        }
        assert_eq!(after.version, before.version, "{what}");
        assert_eq!(stage.told().await.len(), told, "{what}");
    }
}

#[tokio::test]
async fn each_operation_moves_what_it_is_for_and_refuses_all_else() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        for operation in OPERATIONS {
            for from in SwarmStatus::ALL {
                check(&stage, operation, *from).await;
            }
        }
        stage.store.close().await.unwrap();
    }
}

#[test]
fn every_move_of_the_machine_has_an_operation() {
    for from in SwarmStatus::ALL {
        for to in SwarmStatus::ALL {
            let mut operations = OPERATIONS.iter().filter(|operation| operation.to == *to);
            let taken = operations.any(|operation| operation.from.contains(from));
            assert_eq!(taken && from != to, from.can_become(*to), "{from:?} to {to:?}");
        }
    }
}

#[tokio::test]
async fn a_swarm_takes_agents_only_while_it_is_at_work() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        for status in SwarmStatus::ALL {
            let swarm = swarm_in(&stage, status.as_str(), *status).await;
            let added = swarm.add(agent()).await;
            if matches!(status, Creating | Active | Scaling) {
                added.unwrap();
                assert_eq!(swarm.get().await.unwrap().metrics.total, 1);
                continue;
            }
            let refusal = added.unwrap_err();
            assert_eq!(refusal.kind(), ErrorKind::IllegalTransition);
            assert!(refusal.to_string().contains(status.as_str()), "{refusal}");
            assert_eq!(swarm.get().await.unwrap().metrics.total, 0);
        }
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_swarm_is_seen_creating_before_it_is_active() {
    let stage = in_memory().await;
    let swarm = stage.new_swarm("s", 3).await;
    assert_eq!(swarm.get().await.unwrap().status, Creating);
    swarm.activate().await.unwrap();
    let seen: Vec<_> = crate::support::versions(&swarm).await;
    assert_eq!(seen.iter().map(|swarm| swarm.status).collect::<Vec<_>>(), [Creating, Active]);
}

#[tokio::test]
async fn scaling_says_to_how_many_and_ends_with_it() {
    let stage = in_memory().await;
    let swarm = stage.new_swarm("s", 3).await;
    swarm.activate().await.unwrap();
    swarm.add(agent()).await.unwrap();
    assert_eq!(swarm.scale(4).await.unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(swarm.scale(2).await.unwrap().target_agents, Some(2));
    swarm.add(agent()).await.unwrap();
    assert_eq!(swarm.add(agent()).await.unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(swarm.activate().await.unwrap().target_agents, None);
    swarm.add(agent()).await.unwrap();
    swarm.scale(1).await.unwrap();
    assert_eq!(swarm.pause().await.unwrap().target_agents, None);
    assert_eq!(swarm.resume().await.unwrap().status, Active);
}

#[tokio::test]
async fn a_swarm_that_cannot_be_is_not_recorded() {
    let stage = in_memory().await;
    let none = SwarmConfig::new("none", "work", 0);
    let fewer = SwarmConfig { initial_agents: 3, ..SwarmConfig::new("fewer", "work", 2) };
    for config in [none, fewer] {
        let refusal = stage.orchestra.swarms().create(config).await.unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::Invalid);
    }
    stage.new_swarm("s", 1).await;
    let again = outlast_orchestrator::swarm::NewSwarm::new(SwarmConfig::new("s", "work", 1));
    let refusal = stage.orchestra.swarms().create(again.called("s")).await.unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Exists);
}
