//! Random operations on one swarm: what must hold, holds after each.

use std::time::Duration;

use outlast_core::{AgentStatus, ErrorKind, Page, Result, Status, SwarmStatus};
use outlast_orchestrator::swarm::{AgentHandle, SwarmHandle};

use crate::support::{Stage, agent, recount, stage};

const MOST: u32 = 6;

fn seed() -> u64 {
    match std::env::var("OUTLAST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => fastrand::u64(..),
    }
}

/// Does something to the swarm or to one of its agents, and says what.
async fn act(
    random: &mut fastrand::Rng,
    stage: &Stage,
    swarm: &SwarmHandle,
    agents: &mut Vec<AgentHandle>,
) -> (String, Result<()>) {
    let choice = random.usize(..26);
    if choice < 5 || agents.is_empty() {
        let new = agent().with_retries(random.u32(..3)).or_model("large");
        let added = swarm.add(new).await.map(|agent| agents.push(agent));
        return ("add".to_owned(), added);
    }
    let agent = agents[random.usize(..agents.len())].clone();
    let (name, answer) = match choice {
        5 => ("spawn", agent.spawn().await.map(drop)),
        6..10 => ("start", agent.start().await.map(drop)),
        10 => ("pause", agent.pause().await.map(drop)),
        11 => ("resume", agent.resume().await.map(drop)),
        12 => ("block", agent.block().await.map(drop)),
        13 => ("unblock", agent.unblock().await.map(drop)),
        14 => ("complete", agent.complete().await.map(drop)),
        15..18 => ("fail", agent.fail("broken").await.map(drop)),
        18 => ("kill", agent.kill().await.map(drop)),
        19 => ("retry", agent.retry().await.map(drop)),
        20 => {
            stage.pass(Duration::from_secs(random.u64(..5)));
            ("due", stage.retries().due().await.map(drop))
        }
        21 => ("pause swarm", swarm.pause().await.map(drop)),
        22 => (
            "resume or activate",
            if random.bool() {
                swarm.resume().await.map(drop)
            } else {
                swarm.activate().await.map(drop)
            },
        ),
        23 => ("give_up", agent.give_up("broken").await.map(drop)),
        24 => {
            let before = swarm.get().await.map(|swarm| swarm.version);
            let after = swarm.reconcile().await.map(|swarm| swarm.version);
            assert_eq!(before.unwrap(), after.unwrap(), "nothing is to be reconciled");
            ("reconcile", Ok(()))
        }
        _ => ("scale", swarm.scale(random.u32(..=MOST)).await.map(drop)),
    };
    (format!("{name} {}", agent.id()), answer)
}

/// What holds after every operation.
async fn check(stage: &Stage, swarm: &SwarmHandle, what: &str) -> SwarmStatus {
    let stored = swarm.get().await.unwrap();
    assert_eq!(stored.metrics, recount(stage, swarm.id()).await, "{what}");
    assert!(stored.metrics.at_work() <= MOST, "{what}");
    let is_over = stored.metrics.are_over();
    assert!(!(stored.status == SwarmStatus::Active && is_over), "{what}: active with none at work");
    assert_eq!(stored.completed_at.is_some(), stored.status.is_settled(), "{what}");
    assert_eq!(stored.target_agents.is_some(), stored.status == SwarmStatus::Scaling, "{what}");
    for agent in crate::support::agents_of(stage, swarm.id()).await {
        let status = agent.status;
        assert_eq!(agent.next_retry_at.is_some(), status == AgentStatus::Retrying, "{what}");
        assert_eq!(agent.completed_at.is_some(), status.is_settled(), "{what}");
    }
    stored.status
}

/// Each version follows the one before by a move of the machine.
async fn check_history(agents: &[AgentHandle], what: &str) {
    for agent in agents {
        let past = agent.history(Page::first(1000)).await.unwrap().items;
        let states: Vec<_> =
            past.into_iter().map(|past| past.unwrap().value.unwrap().status).collect();
        for pair in states.windows(2) {
            assert!(pair[1].can_become(pair[0]), "{what}: {:?} to {:?}", pair[1], pair[0]);
        }
    }
}

async fn play(backend: &'static str, seed: u64, steps: usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    let stage = stage(backend).await;
    let (mut round, mut step) = (0, 0);
    while step < steps {
        let (swarm, mut agents) = (stage.new_swarm(&format!("s{round}"), MOST).await, Vec::new());
        for _ in 0..steps {
            step += 1;
            let (did, answer) = act(&mut random, &stage, &swarm, &mut agents).await;
            let what = format!("{backend}, OUTLAST_SEED={seed}, step {step}: {did}: {answer:?}");
            if let Err(refusal) = answer {
                use ErrorKind::{IllegalTransition, TooLarge};
                assert!(matches!(refusal.kind(), IllegalTransition | TooLarge), "{what}");
            }
            let status = check(&stage, &swarm, &what).await;
            if status.is_settled() && random.u32(..4) == 0 {
                break;
            }
        }
        check_history(&agents, &format!("{backend}, OUTLAST_SEED={seed}")).await;
        round += 1;
    }
    stage.store.close().await.unwrap();
}

#[tokio::test]
async fn whatever_is_done_the_counts_are_right_and_every_move_is_legal() {
    let seed = seed();
    println!("to replay: OUTLAST_SEED={seed}");
    play("memory", seed, 1500).await;
    play("sqlite", seed, 150).await;
    play("sled", seed, 150).await;
}
