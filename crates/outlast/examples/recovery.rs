//! What becomes of what a program left behind that is gone: as the table says, once, and told.
#![allow(clippy::print_stdout)]

use outlast::recovery::{Handlers, StartOptions, preview, start, stop};
use outlast::{
    Agent, AgentStatus, Claim, Command, CommandStatus, OpSpec, Result, Store, Swarm, SwarmConfig,
    SwarmStatus,
};

/// A swarm at work, and a host with an operation under way, when the power fails.
async fn leave_behind(store: &Store) -> Result<()> {
    let now = store.clock().now();
    let config = SwarmConfig::new("writers", "write the book", 2);
    let mut swarm = Swarm { status: SwarmStatus::Active, ..Swarm::new(config, now) };
    swarm.metrics.total = 2;
    store.kind::<Swarm>().create("writers", &swarm).await?;
    for (id, status) in [("ann", AgentStatus::Running), ("bob", AgentStatus::Paused)] {
        let swarm_id = Some("writers".to_owned());
        let agent = Agent { status, swarm_id, ..Agent::new("large", "a chapter", now) };
        store.kind::<Agent>().create(id, &agent).await?;
    }
    let pull = Command::new("web1", OpSpec::new("pull"), now);
    let pull = Command { status: CommandStatus::Executing, ..pull };
    store.kind::<Command>().create("pull-7", &pull).await?;
    let claim = Claim { holder: "pull-7".to_owned(), claimed_at: now };
    store.kind::<Claim>().create("host/web1", &claim).await.map(drop)
}

#[tokio::main]
async fn main() -> Result<()> {
    let store = outlast::open("memory:").await?;
    leave_behind(&store).await?;

    let mut options = StartOptions::default();
    // A command that was never sent would be queued again; ours was sent, so this is for others.
    options.recovery.table = "command.pending = requeue".parse()?;
    options.recovery.handlers = Handlers::default().on("command", |command| {
        println!("told: {} was {}, {:?}", command.id, command.found, command.outcome);
        Ok(())
    })?;
    let seen = preview(&store, &options.recovery).await?;
    println!("{} would be changed", seen.changed);

    let started = start(&store, &options).await?;
    for (kind, outcomes) in &started.report.outcomes {
        println!("{kind}: {outcomes:?}");
    }
    let swarm = store.kind::<Swarm>().get("writers").await?;
    println!("the swarm counts {} failed of {}", swarm.metrics.failed, swarm.metrics.total);
    assert!(store.kind::<Claim>().find("host/web1").await?.is_none(), "the host is free");

    let saved = stop(&started.instance).await?.saved;
    println!("{saved} swarm saved for the next start");
    store.close().await
}
