//! A pipeline of three stages over two folders, which one of them does not get through.
#![allow(clippy::expect_used, clippy::print_stdout)]

use std::sync::Arc;

use outlast::fleet::pipeline::{Conductor, ConductorOptions, Definition, Pipelines};
use outlast::fleet::{Fleet, LocalExecutor};
use outlast::{CommandLine, Host, Instance, OpSpec, Result, Shutdown, Status as _};

fn stage(op: &str, line: &str) -> OpSpec {
    OpSpec { run: Some(CommandLine::Shell(line.into())), ..OpSpec::new(op) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let store = outlast::open("memory:").await?;

    // Hosts of this machine are folders. Others are reached by an executor of your own.
    let folders = tempfile::tempdir().expect("a temporary folder");
    for name in ["attic", "cellar"] {
        let folder = folders.path().join(name);
        std::fs::create_dir(&folder).expect("a folder for the host");
        let cwd = Some(folder.display().to_string());
        let host = Host { cwd, ..Host::new(name, store.clock().now()) };
        Fleet::new(&store).hosts().register(name, host).await?;
    }

    let stages = [
        stage("fetch", "echo 'all is well' > news"),
        // Something is wrong with the cellar.
        stage("check", "test $OUTLAST_HOST_ID = attic"),
        stage("print", "cat news"),
    ];
    let definition = Definition::new("news", ["attic", "cellar"], stages)?;
    let pipeline = Pipelines::of(&store).create(&definition).await?;

    // One process at a time has the right to drive a store.
    let instance = Instance::acquire(&store, false).await?;
    let executor = Arc::new(LocalExecutor::new(store.clock().clone()));
    let conductor = Conductor::new(&instance, executor, ConductorOptions::default())?;
    let state = conductor.drive(pipeline.id(), &Shutdown::default()).await?;

    for outcome in state.outcomes() {
        println!("{} on {}: {}", outcome.op, outcome.host_id, outcome.status.as_str());
    }
    let (status, error) = (state.pipeline.status.as_str(), state.pipeline.error.as_deref());
    println!("{status}: {}", error.unwrap_or("every stage on every host"));
    assert_eq!(status, "partial");

    instance.release().await?;
    store.close().await
}
