//! A swarm of two agents: one fails, is escalated to a larger model, and completes all the same.
#![allow(clippy::print_stdout)]

use outlast::swarm::{NewAgent, NewSwarm, Orchestra};
use outlast::{Budget, Result, Status, SwarmConfig, SwarmStatus};

#[tokio::main]
async fn main() -> Result<()> {
    let store = outlast::open("memory:").await?; // "sqlite:swarms.db" survives this program
    let orchestra = Orchestra::new(&store);

    let config = SwarmConfig::new("reviewers", "review the change", 4);
    let review = NewSwarm::new(config).called("review").with_budget(Budget::new(500, "USD"));
    let swarm = orchestra.swarms().create(review).await?;

    let reader = NewAgent::new("read it").called("reader").with_model("small");
    let reader = swarm.add(reader).await?;
    let tester = NewAgent::new("try it").called("tester").with_model("small").or_model("large");
    let tester = swarm.add(tester.with_retries(0)).await?;
    swarm.activate().await?;

    reader.start().await?;
    reader.complete().await?;

    tester.start().await?;
    let failed = tester.fail("it does not compile").await?;
    println!("{} is {} with {}", failed.key, failed.status.as_str(), failed.model);

    // In a program that goes on, `orchestra.retries().run(..)` says when to start it again.
    tester.start().await?;
    swarm.spend(120).await?;
    tester.complete().await?;

    let over = swarm.get().await?;
    assert_eq!(over.status, SwarmStatus::Completed);
    let left = over.budget.as_ref().map_or(0, Budget::remaining);
    println!("{} is {}, {left} cents are left", over.key, over.status.as_str());
    store.close().await
}
