//! Commands on two hosts: one is busy, the other is not there yet.
#![allow(clippy::print_stdout)]

use std::sync::Arc;

use outlast::fleet::{Dispatcher, Driver, Fleet, HostBusy, LocalExecutor};
use outlast::{
    Command, CommandLine, CommandStatus, Host, HostStatus, Instance, OpSpec, Result, Shutdown,
    Status as _, Store, StreamQuery,
};

fn says(op: &str, words: &str) -> OpSpec {
    OpSpec { run: Some(CommandLine::Shell(format!("echo {words}"))), ..OpSpec::new(op) }
}

/// What a command wrote.
async fn output(store: &Store, id: &str) -> Result<String> {
    let log = outlast::Key::new(Command::LOG, id)?;
    let mut text = String::new();
    for entry in store.read(&StreamQuery::of(log)).await?.items {
        text.push_str(&String::from_utf8_lossy(&entry?.data));
    }
    Ok(text)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let store = outlast::open("memory:").await?;
    let fleet = Fleet::new(&store);
    for name in ["attic", "cellar"] {
        fleet.hosts().register(name, Host::new(name, store.clock().now())).await?;
    }
    let commands = fleet.commands();

    // A host has one command at a time.
    let pull = commands.begin("attic", says("pull", "pulled")).await?;
    let refused = commands.begin("attic", says("switch", "switched")).await;
    let busy = refused.as_ref().err().and_then(HostBusy::of);
    assert_eq!(busy.map(|busy| busy.command_id.as_str()), Some(pull.id()));

    // One process at a time has the right to carry commands out.
    let instance = Instance::acquire(&store, false).await?;
    let executor = Arc::new(LocalExecutor::new(store.clock().clone()));
    let shutdown = Shutdown::default();
    let pulled = Driver::new(&instance, executor.clone()).run(pull.id(), &shutdown).await?;
    print!("attic: {}: {}", pulled.status.as_str(), output(&store, pull.id()).await?);

    // A host that is not there is waited for.
    fleet.hosts().disconnect("cellar").await?;
    let queued = commands.begin_or_queue("cellar", says("pull", "pulled later")).await?;
    assert_eq!(queued.status, CommandStatus::Queued);
    println!("cellar: {}", queued.status.as_str());

    let dispatcher = Dispatcher::new(&instance, executor);
    let back = async {
        fleet.hosts().heartbeat("cellar", HostStatus::Online).await?;
        let done = commands.settled(queued.id()).await?;
        shutdown.begin();
        Ok::<_, outlast::Error>(done)
    };
    let (ran, done) = tokio::join!(dispatcher.run(&shutdown), back);
    ran?;
    print!("cellar: {}: {}", done?.status.as_str(), output(&store, queued.id()).await?);

    instance.release().await?;
    store.close().await
}
