//! Going back to an older version, and forth again to what was saved on the way.
#![allow(clippy::print_stdout, clippy::expect_used)]

use outlast::{Cause, Entity, NoStatus, Result};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Plan {
    steps: Vec<String>,
}

impl Entity for Plan {
    type Status = NoStatus;
    const KIND: &'static str = "plan";
}

#[tokio::main]
async fn main() -> Result<()> {
    let store = outlast::open("memory:").await?;
    let plans = store.kind::<Plan>();
    plans.create("move", &Plan { steps: vec!["pack".into()] }).await?;
    for step in ["carry", "burn the boxes"] {
        let add = |plan: &mut Plan| {
            plan.steps.push(step.into());
            Ok(())
        };
        plans.update("move", add).await?;
    }

    // Nothing is rewritten: the old content becomes a new version.
    let cause = Cause::by("user:ann".parse()?).because("we need the boxes");
    let back = plans.with_cause(cause).rollback_to("move", 2).await?;
    println!("version {}: {}", back.version, back.steps.join(", "));

    // What was there was saved in the same commit, and can be restored.
    let saved = plans.latest_checkpoint("move").await?.expect("every rollback makes one");
    println!("saved: version {}, {}", (*saved).version, saved.reason);
    let forth = plans.restore(saved.id()).await?;
    println!("version {}: {}", forth.version, forth.steps.join(", "));

    // A version that never was cannot be gone back to, and trying leaves no trace.
    let error = plans.rollback_to("move", 99).await.expect_err("there is no such version");
    println!("{error}");
    store.close().await
}
