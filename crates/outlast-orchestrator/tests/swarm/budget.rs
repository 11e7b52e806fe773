//! What a swarm may spend.

use outlast_core::{Budget, ErrorKind, SwarmConfig};
use outlast_orchestrator::swarm::{NewSwarm, SwarmHandle};

use crate::support::{BACKENDS, Stage, in_memory, stage, within};

async fn with_budget(stage: &Stage, id: &str, budget: Budget) -> SwarmHandle {
    let new = NewSwarm::new(SwarmConfig::new(id, "work", 3)).called(id).with_budget(budget);
    stage.orchestra.swarms().create(new).await.unwrap()
}

#[tokio::test]
async fn a_budget_of_zero_is_a_budget() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = with_budget(&stage, "s", Budget::new(0, "USD")).await;
        assert_eq!(swarm.get().await.unwrap().budget, Some(Budget::new(0, "USD")), "{backend}");
        assert_eq!(swarm.spend(1).await.unwrap_err().kind(), ErrorKind::TooLarge, "{backend}");
        swarm.spend(0).await.unwrap();
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_swarm_without_a_budget_spends_without_bound() {
    let stage = in_memory().await;
    let swarm = stage.swarm("s").await;
    let spent = swarm.spend(u64::MAX).await.unwrap();
    assert_eq!((spent.budget.clone(), spent.version.n), (None, 2));
}

#[tokio::test]
async fn no_more_is_spent_than_was_allocated() {
    let stage = in_memory().await;
    let swarm = with_budget(&stage, "s", Budget::new(100, "EUR")).await;
    assert_eq!(swarm.spend(60).await.unwrap().budget.as_ref().unwrap().remaining(), 40);
    let refusal = swarm.spend(41).await.unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::TooLarge);
    assert!(refusal.to_string().contains("40 of 100"), "{refusal}");
    assert_eq!(swarm.spend(u64::MAX).await.unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(swarm.spend(40).await.unwrap().budget.as_ref().unwrap().consumed, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_spend_at_once_never_overdraw() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = with_budget(&stage, "s", Budget::new(100, "EUR")).await;
        let spending: tokio::task::JoinSet<_> = (0..16)
            .map(|_| {
                let swarm = swarm.clone();
                async move { u64::from(swarm.spend(9).await.is_ok()) }
            })
            .collect();
        let spent: u64 = within(spending.join_all()).await.into_iter().sum();
        assert_eq!(spent, 11, "{backend}");
        assert_eq!(swarm.get().await.unwrap().budget.as_ref().unwrap().consumed, 99, "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_threshold_is_told_when_it_is_reached_and_once() {
    let stage = in_memory().await;
    let thresholds =
        Budget { warning_percent: Some(50), critical_percent: Some(90), ..Budget::new(100, "EUR") };
    let swarm = with_budget(&stage, "s", thresholds.clone()).await;
    for (amount, told) in [(49, 0), (1, 1), (10, 1), (29, 1), (1, 2), (10, 2)] {
        swarm.spend(amount).await.unwrap();
        assert_eq!(stage.told().await.len(), told);
    }
    assert_eq!(stage.told().await, ["budget_warning of swarm/s", "budget_critical of swarm/s"]);
    let swarm = with_budget(&stage, "at_once", thresholds).await;
    swarm.spend(95).await.unwrap();
    assert_eq!(stage.told().await[2..], ["budget_critical of swarm/at_once"]);
}

#[tokio::test]
async fn a_swarm_that_is_over_spends_nothing() {
    let stage = in_memory().await;
    let swarm = with_budget(&stage, "s", Budget::new(100, "EUR")).await;
    swarm.fail("no").await.unwrap();
    assert_eq!(swarm.spend(1).await.unwrap_err().kind(), ErrorKind::IllegalTransition);
}
