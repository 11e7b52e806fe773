//! What every test here needs: stores, hosts, pipelines, and reading back what was recorded.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    Backend, Claim, Command, Event, Host, Lease, OpSpec, Page, PipelineRecovery, Status,
    StreamQuery,
};
use outlast_orchestrator::fleet::Fleet;
use outlast_orchestrator::fleet::pipeline::{
    Conductor, ConductorOptions, Definition, PipelineState, Pipelines,
};
use outlast_orchestrator::{Instance, Shutdown};
use outlast_store::Store;

use crate::opened::{BACKENDS, open};
use crate::world::World;

/// How long anything here may take before it counts as stuck.
const STUCK: Duration = Duration::from_mins(2);

pub(crate) const STAGES: [&str; 3] = ["pull", "switch", "test"];

/// A store on each backend in turn, with hosts `a`, `b` and `c`.
pub(crate) async fn everywhere(test: impl AsyncFn(Site)) {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(backend, &folder.path().join("store")).await;
        register(&store).await;
        test(Site { store: store.clone(), world: World::default() }).await;
        store.close().await.unwrap();
    }
}

pub(crate) async fn register(store: &Store) {
    for host in ["a", "b", "c"] {
        let now = store.clock().now();
        Fleet::new(store).hosts().register(host, Host::new(host, now)).await.unwrap();
    }
}

pub(crate) struct Site {
    pub(crate) store: Store,
    pub(crate) world: World,
}

impl Site {
    pub(crate) fn pipelines(&self) -> Pipelines {
        Pipelines::of(&self.store)
    }

    pub(crate) async fn conductor(&self) -> Conductor {
        self.conductor_with(ConductorOptions::default()).await
    }

    pub(crate) async fn conductor_with(&self, options: ConductorOptions) -> Conductor {
        conductor(&self.store, &self.world, options).await
    }

    /// Creates and drives a pipeline over all hosts.
    pub(crate) async fn drive(&self, definition: &Definition) -> PipelineState {
        let pipeline = self.pipelines().create(definition).await.unwrap();
        drive(&self.conductor().await, pipeline.id()).await
    }
}

pub(crate) async fn conductor(
    store: &Store,
    world: &World,
    options: ConductorOptions,
) -> Conductor {
    let instance = Instance::acquire(store, false).await.unwrap();
    Conductor::new(&instance, Arc::new(world.clone()), options).unwrap()
}

pub(crate) async fn drive(conductor: &Conductor, id: &str) -> PipelineState {
    within(conductor.drive(id, &Shutdown::default())).await.unwrap()
}

pub(crate) fn deploy() -> Definition {
    Definition::new("deploy", ["a", "b", "c"], STAGES.map(OpSpec::new)).unwrap()
}

pub(crate) fn resumable() -> Definition {
    deploy().recovery(PipelineRecovery::Resume)
}

/// The statuses of a pipeline's outcomes: one word per stage, one letter per host.
pub(crate) fn table(state: &PipelineState) -> String {
    let stages = (0..state.pipeline.stages.len()).map(|stage| {
        let hosts = state.pipeline.hosts.iter();
        let letter = |host: &String| match state.outcome(stage, host) {
            Some(outcome) => outcome.status.as_str().chars().nth(usize::from(
                // "skipped" would look like "success".
                outcome.status.as_str() == "skipped",
            )),
            None => Some('.'),
        };
        hosts.map(|host| letter(host).unwrap()).collect::<String>()
    });
    stages.collect::<Vec<_>>().join(" ")
}

/// What keeps the store at the path.
pub(crate) async fn backend(name: &str, path: &Path) -> Arc<dyn Backend> {
    open(name, path).await.backend().clone()
}

/// As if the process that has the right to drive were gone.
pub(crate) async fn lose_driver(store: &Store) {
    if store.kind::<Lease>().find("run").await.unwrap().is_some() {
        let gone = |lease: &mut Lease| {
            lease.holder.start_ticks += 1;
            Ok(())
        };
        store.kind::<Lease>().update("run", gone).await.unwrap();
    }
}

/// Checks that no host is taken and no command open.
pub(crate) async fn assert_tidy(store: &Store) {
    let claims = store.kind::<Claim>();
    for claim in claims.list(&claims.query().unwrap()).await.unwrap().items {
        let id = claim.unwrap().id().to_owned();
        assert!(!id.starts_with("host/"), "{id} is claimed");
    }
    for command in commands(store).await {
        assert!(command.status.is_settled(), "{command:?}");
    }
}

pub(crate) async fn commands(store: &Store) -> Vec<Command> {
    let kind = store.kind::<Command>();
    let mut query = kind.query().unwrap();
    query.page = Page::first(1000);
    let page = kind.list(&query).await.unwrap();
    page.items.into_iter().map(|command| command.unwrap().into_value()).collect()
}

/// What the log says about pipelines, oldest first.
pub(crate) async fn told(store: &Store) -> Vec<String> {
    let mut query = StreamQuery::of(Event::log().unwrap());
    query.page = Page::first(1000);
    let entries = store.read(&query).await.unwrap().items.into_iter();
    let events =
        entries.map(|entry| serde_json::from_slice::<Event>(&entry.unwrap().data).unwrap());
    let of_pipelines =
        events.filter(|event| event.action.as_ref().is_some_and(|it| it.starts_with("pipeline:")));
    of_pipelines.map(|event| event.message).collect()
}

/// The future, which must not hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(STUCK, future).await.expect("this hangs")
}
