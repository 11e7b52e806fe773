//! What is over goes at its age, with all that belongs to it; what is not over stays.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use outlast::retention::{Policies, Sweeper};
use outlast::{Command, CommandStatus, OpSpec, Result};

const DAY: Duration = Duration::from_hours(24);

#[tokio::main]
async fn main() -> Result<()> {
    let store = outlast::open("memory:").await?;
    let long_ago = store.clock().now().minus(DAY * 20);
    for (id, status) in [("done", CommandStatus::Success), ("stuck", CommandStatus::Executing)] {
        let command = Command::new("web1", OpSpec::new("pull"), long_ago);
        let finished_at = (status == CommandStatus::Success).then_some(long_ago);
        let command = Command { status, finished_at, ..command };
        store.kind::<Command>().create(id, &command).await?;
    }

    let month = Sweeper::new(&store, Policies::default());
    println!("after a month: {:?}", month.preview().await?.removed);

    let week = Policies::default().with_age("command", Some(DAY * 7))?;
    let sweeper = Sweeper::new(&store, week);
    let would_go = sweeper.preview().await?.of("command").count;
    let sweep = sweeper.tick().await?;
    assert_eq!(sweep.of("command").count, would_go);
    println!("after a week: {would_go} command of {:?}", sweep.removed.keys());
    assert!(store.kind::<Command>().find("done").await?.is_none());
    println!("stuck is {:?}", store.kind::<Command>().get("stuck").await?.status);
    store.close().await
}
