//! Pipelines of real processes.

use std::fs;
use std::sync::Arc;

use outlast_core::{CommandLine, Host, OpSpec, PipelineStatus};
use outlast_orchestrator::Instance;
use outlast_orchestrator::fleet::pipeline::{Conductor, ConductorOptions, Definition, Pipelines};
use outlast_orchestrator::fleet::{Fleet, LocalExecutor};
use outlast_store::Store;

use crate::opened::{BACKENDS, open};
use crate::support::{drive, lose_driver, table};

fn shell(op: &str, line: &str) -> OpSpec {
    OpSpec { run: Some(CommandLine::Shell(line.into())), ..OpSpec::new(op) }
}

async fn conductor(store: &Store) -> Conductor {
    let instance = Instance::acquire(store, false).await.unwrap();
    let executor = Arc::new(LocalExecutor::new(store.clock().clone()));
    Conductor::new(&instance, executor, ConductorOptions::default()).unwrap()
}

#[tokio::test]
async fn stages_work_in_the_folders_of_their_hosts() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(backend, &folder.path().join("store")).await;
        for host in ["a", "b"] {
            let cwd = folder.path().join(host);
            fs::create_dir(&cwd).unwrap();
            let cwd = cwd.to_str().map(str::to_owned);
            let registered = Host { cwd, ..Host::new(host, store.clock().now()) };
            Fleet::new(&store).hosts().register(host, registered).await.unwrap();
        }
        let stages = [
            shell("write", "echo $OUTLAST_HOST_ID > name"),
            shell("copy", "[ $OUTLAST_HOST_ID = a ] && cp name copy"),
            shell("compare", "cmp name copy"),
        ];
        let definition = Definition::new("files", ["a", "b"], stages).unwrap();
        let pipeline = Pipelines::of(&store).create(&definition).await.unwrap();
        let state = drive(&conductor(&store).await, pipeline.id()).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Partial, "{backend}");
        assert_eq!(table(&state), "ss sf sk", "{backend}");
        let copy = fs::read_to_string(folder.path().join("a/copy")).unwrap();
        assert_eq!((copy.as_str(), folder.path().join("b/copy").exists()), ("a\n", false));
        lose_driver(&store).await;
        store.close().await.unwrap();
    }
}
