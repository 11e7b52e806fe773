//! Every operation on an agent in every state.

use outlast_core::AgentStatus::{
    self, Blocked, Completed, Failed, Killed, Paused, Pending, Retrying, Running, Spawning,
};
use outlast_core::{Agent, ErrorKind, Result, Status};
use outlast_orchestrator::swarm::AgentHandle;
use outlast_store::Stored;

use crate::support::{BACKENDS, Stage, agent, agent_in, recount, running, stage};

/// An operation, where it leads, and from where.
struct Operation {
    name: &'static str,
    to: AgentStatus,
    moves: &'static [(AgentStatus, AgentStatus)],
}

const OPERATIONS: &[Operation] = &[
    Operation { name: "spawn", to: Spawning, moves: &[(Pending, Spawning), (Retrying, Spawning)] },
    Operation {
        name: "start",
        to: Running,
        moves: &[(Pending, Running), (Spawning, Running), (Retrying, Running)],
    },
    Operation { name: "pause", to: Paused, moves: &[(Running, Paused), (Retrying, Paused)] },
    Operation { name: "resume", to: Running, moves: &[(Paused, Running)] },
    Operation { name: "block", to: Blocked, moves: &[(Running, Blocked)] },
    Operation { name: "unblock", to: Running, moves: &[(Blocked, Running)] },
    Operation {
        name: "complete",
        to: Completed,
        moves: &[(Running, Completed), (Completed, Completed), (Killed, Killed)],
    },
    Operation {
        name: "fail",
        to: Failed,
        moves: &[
            (Pending, Failed),
            (Spawning, Failed),
            (Running, Retrying),
            (Paused, Failed),
            (Blocked, Failed),
            (Retrying, Failed),
        ],
    },
    Operation {
        name: "give_up",
        to: Failed,
        moves: &[
            (Pending, Failed),
            (Spawning, Failed),
            (Running, Failed),
            (Paused, Failed),
            (Blocked, Failed),
            (Retrying, Failed),
        ],
    },
    Operation {
        name: "kill",
        to: Killed,
        moves: &[
            (Pending, Killed),
            (Spawning, Killed),
            (Running, Killed),
            (Paused, Killed),
            (Blocked, Killed),
            (Retrying, Killed),
            (Completed, Completed),
            (Killed, Killed),
        ],
    },
    Operation { name: "retry", to: Retrying, moves: &[(Failed, Retrying)] },
    Operation { name: "requeue", to: Pending, moves: &[(Failed, Pending)] },
];

async fn perform(name: &str, agent: &AgentHandle) -> Result<Stored<Agent>> {
    match name {
        "spawn" => agent.spawn().await,
        "start" => agent.start().await,
        "pause" => agent.pause().await,
        "resume" => agent.resume().await,
        "block" => agent.block().await,
        "unblock" => agent.unblock().await,
        "complete" => agent.complete().await,
        "fail" => agent.fail("it broke").await,
        "give_up" => agent.give_up("it broke for good").await,
        "kill" => agent.kill().await,
        "retry" => agent.retry().await,
        "requeue" => agent.requeue().await,
        other => panic!("no operation {other}"),
    }
}

/// Performs an operation on an agent in a state, and checks all that comes of it.
async fn check(stage: &Stage, operation: &Operation, from: AgentStatus) {
    let Operation { name, to, moves } = operation;
    let what = format!("{}: {name} from {}", stage.backend, from.as_str());
    let swarm = stage.swarm(&format!("{name}-{}", from.as_str())).await;
    running(&swarm, agent()).await; // keeps the swarm from ending
    let agent = agent_in(&swarm, from).await;
    let (before, told) = (agent.get().await.unwrap(), stage.told().await.len());
    let swarm_before = swarm.get().await.unwrap();

    let answer = perform(name, &agent).await;

    let after = agent.get().await.unwrap();
    let legal = moves.iter().find(|(start, _)| *start == from).map(|(_, end)| *end);
    match (answer, legal) {
        (Ok(answer), Some(end)) => {
            assert_eq!((answer.status, after.status), (end, end), "{what}");
            assert_eq!(*answer, *after, "{what}");
            assert_eq!(answer.version, after.version, "{what}");
            let steps = u64::from(end != from);
            assert_eq!(after.version.n, before.version.n + steps, "{what}");
            assert!(end == from || from.can_become(end), "{what}");
        }
        (Err(refusal), None) => {
            assert_eq!(refusal.kind(), ErrorKind::IllegalTransition, "{what}: {refusal}");
            let text = refusal.to_string();
            for status in [from, *to] {
                assert!(text.contains(status.as_str()), "{what}: {text}");
            }
            assert_eq!(after.version, before.version, "{what}");
            assert_eq!(swarm.get().await.unwrap().version, swarm_before.version, "{what}");
            assert_eq!(stage.told().await.len(), told, "{what}");
        }
        (answer, legal) => panic!("{what}: {answer:?} instead of {legal:?}"),
    }
    let counted = swarm.get().await.unwrap().metrics;
    assert_eq!(counted, recount(stage, swarm.id()).await, "{what}");
}

#[tokio::test]
async fn each_operation_moves_what_it_is_for_and_refuses_all_else() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        for operation in OPERATIONS {
            for from in AgentStatus::ALL {
                check(&stage, operation, *from).await;
            }
        }
        stage.store.close().await.unwrap();
    }
}

#[test]
fn every_move_of_the_machine_has_an_operation() {
    for from in AgentStatus::ALL {
        for to in AgentStatus::ALL {
            let mut moves = OPERATIONS.iter().flat_map(|operation| operation.moves);
            let taken = moves.any(|taken| *taken == (*from, *to));
            assert_eq!(taken && from != to, from.can_become(*to), "{from:?} to {to:?}");
        }
    }
}

#[tokio::test]
async fn an_agent_of_no_swarm_moves_as_well() {
    let stage = crate::support::in_memory().await;
    let agent = stage.orchestra.agents().create(agent().with_retries(0)).await.unwrap();
    agent.start().await.unwrap();
    assert_eq!(agent.fail("broken").await.unwrap().status, Failed);
    assert_eq!(agent.retry().await.unwrap().status, Retrying);
    agent.start().await.unwrap();
    assert_eq!(agent.complete().await.unwrap().status, Completed);
}

#[tokio::test]
async fn the_times_of_an_agent_tell_its_life() {
    let stage = crate::support::in_memory().await;
    let swarm = stage.swarm("s").await;
    let born = stage.now();
    let agent = swarm.add(agent()).await.unwrap();
    let second = std::time::Duration::from_secs(1);
    stage.pass(second);
    let started = stage.now();
    agent.start().await.unwrap();
    stage.pass(second);
    let paused = stage.now();
    agent.pause().await.unwrap();
    stage.pass(second);
    let resumed = stage.now();
    agent.resume().await.unwrap();
    agent.block().await.unwrap();
    stage.pass(second);
    agent.unblock().await.unwrap();
    let over = agent.complete().await.unwrap();
    assert_eq!(over.created_at, born);
    assert_eq!(over.started_at, Some(started));
    assert_eq!(over.paused_at, Some(paused));
    assert_eq!(over.resumed_at, Some(resumed));
    assert_eq!(over.completed_at, Some(stage.now()));
    assert_eq!(over.runtime_ms, Some(3000));
}
