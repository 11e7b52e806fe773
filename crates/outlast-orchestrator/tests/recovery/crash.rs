//! Recovery that is cut off after any number of commits is completed by the next.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use outlast_core::{Agent, AgentStatus, Clock, Command, CommandStatus, Swarm, SwarmStatus};
use outlast_orchestrator::recovery::{Handlers, RecoveryOptions, recover};

use crate::support::{
    BACKENDS, Site, acquire, agent, claim, command, create, events, open, site, swarm,
};

/// A swarm being made with two agents at work, and two commands.
async fn fill(site: &Site) {
    let (store, now) = (&site.store, site.clock.now());
    let mut owner = swarm(SwarmStatus::Creating, now);
    owner.metrics.total = 3;
    create(store, "owner", &owner).await;
    for id in ["a1", "a2"] {
        let mut agent = agent(AgentStatus::Running, now);
        agent.swarm_id = Some("owner".to_owned());
        create(store, id, &agent).await;
    }
    for id in ["c1", "c2"] {
        let mut command = command(CommandStatus::Executing, now);
        command.host_id = id.to_owned();
        create(store, id, &command).await;
        claim(store, &format!("host/{id}"), id).await;
    }
}

/// Carries recovery on until so many entities are settled, and drops it.
async fn cut_off(future: impl Future, told: &AtomicUsize, after: usize) {
    let mut future = pin!(future);
    poll_fn(|context| {
        if told.load(Ordering::SeqCst) >= after || future.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}

#[tokio::test]
async fn the_next_recovery_goes_on_where_one_was_cut_off() {
    for backend in BACKENDS {
        let mut partial = 0;
        for commits in 0..=5 {
            let site = site(backend).await;
            fill(&site).await;
            let told = Arc::new(AtomicUsize::new(0));
            let mut handlers = Handlers::default();
            for kind in ["swarm", "agent", "command"] {
                let told = told.clone();
                handlers = handlers
                    .on(kind, move |_| {
                        told.fetch_add(1, Ordering::SeqCst);
                        Ok(())
                    })
                    .unwrap();
            }
            let options = RecoveryOptions { handlers, ..RecoveryOptions::default() };
            let instance = acquire(&site.store).await;
            cut_off(recover(&instance, &options), &told, commits).await;
            site.store.sync().await.unwrap();
            partial += usize::from(events(&site.store).await.len() < 5);

            let store = if backend == "memory" {
                site.store
            } else {
                site.store.close().await.unwrap();
                open(backend, &site.folder, &site.clock).await
            };
            // What holds the right is this process still.
            let instance = if backend == "memory" { instance } else { take_again(&store).await };
            recover(&instance, &RecoveryOptions::default()).await.unwrap();
            check(&store).await;
            store.close().await.unwrap();
        }
        assert!(partial > 1, "{backend}: it was cut off in the middle, {partial} times");
    }
}

async fn take_again(store: &outlast_store::Store) -> outlast_orchestrator::Instance {
    let leases = store.kind::<outlast_core::Lease>();
    leases.delete(&leases.get("run").await.unwrap()).await.unwrap();
    acquire(store).await
}

/// Everything is settled, and once.
async fn check(store: &outlast_store::Store) {
    let owner = store.kind::<Swarm>().get("owner").await.unwrap();
    assert_eq!((owner.status, owner.metrics.failed), (SwarmStatus::Active, 2));
    assert_eq!(owner.version.n, 4);
    for id in ["a1", "a2"] {
        let agent = store.kind::<Agent>().get(id).await.unwrap();
        assert_eq!((agent.status, agent.version.n), (AgentStatus::Failed, 2));
    }
    for id in ["c1", "c2"] {
        let command = store.kind::<Command>().get(id).await.unwrap();
        assert_eq!((command.status, command.version.n), (CommandStatus::Orphaned, 2));
    }
    let claims = store.kind::<outlast_core::Claim>();
    assert_eq!(claims.count(&claims.query().unwrap(), &[]).await.unwrap().total, 0);
    assert_eq!(events(store).await.len(), 5);
}
