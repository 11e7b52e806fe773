//! What a store holds and whether it is well, in figures that a program can pass on.
#![allow(clippy::print_stdout)]

use outlast::statistics::{self, HealthLimits};
use outlast::{Agent, AgentStatus, Session};

#[tokio::main(flavor = "current_thread")]
async fn main() -> outlast::Result<()> {
    let store = outlast::open("memory:").await?;
    let now = store.clock().now();
    let agents = store.kind::<Agent>();
    for id in ["a", "b", "c"] {
        agents.create(id, &Agent::new("large", "dig", now)).await?;
    }
    agents.transition("a", AgentStatus::Killed).await?;
    store.kind::<Session>().create("s", &Session::new("tree", "main", now)).await?;

    let found = statistics::gather(&store).await?;
    println!("{} active agents, {} sessions", found.active_agents, found.total_sessions);
    println!("{} agents killed", found.count("agent", "killed"));
    println!("{} audited changes in the last hour", found.recent_audit_entries);
    assert!(found.is_of_one_moment());

    let health = statistics::health(&store, &HealthLimits::default()).await;
    println!("well: {}", health.is_well());
    store.close().await
}
