//! An engine over a store whose clock stands still until it is moved.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use outlast_core::{
    Artifact, Backend, BatchSpec, Clock, Error, Event, JoinWithin, ManualClock, OpenOptions,
    RandomIds, Result, StreamQuery, Subscription, Timestamp, Window, WindowStatus,
};
use outlast_memory::Memory;
use outlast_orchestrator::Instance;
use outlast_orchestrator::windows::{Delivery, Handler, Published, WindowOptions, Windows};
use outlast_sled::Sled;
use outlast_sqlite::Sqlite;
use outlast_store::{Store, StoreOptions, Stored};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const BACKENDS: [&str; 3] = ["memory", "sqlite", "sled"];
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MICRO: Duration = Duration::from_micros(1);

/// A microsecond less.
pub(crate) fn just_before(duration: Duration) -> Duration {
    duration.saturating_sub(MICRO)
}

/// Remembers what it was handed, and fails as often as it is told to.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    delivered: Mutex<Vec<Delivery>>,
    pub(crate) failures: AtomicU32,
    /// Told at each call.
    pub(crate) called: tokio::sync::Notify,
    /// Whether it never answers.
    pub(crate) hangs: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Handler for Recorder {
    async fn deliver(&self, delivery: Delivery) -> Result<()> {
        self.delivered.lock().unwrap().push(delivery);
        self.called.notify_one();
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let fails = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        fails.map_or(Ok(()), |_| Err(Error::unavailable("the agent is away")))
    }
}

impl Recorder {
    pub(crate) fn all(&self) -> Vec<Delivery> {
        self.delivered.lock().unwrap().clone()
    }

    /// What was handed over since the last call, each as the names of its groups.
    pub(crate) fn take(&self) -> Vec<Vec<Vec<String>>> {
        self.delivered.lock().unwrap().drain(..).map(|delivery| names(&delivery)).collect()
    }
}

/// The names of the artifacts in each group.
pub(crate) fn names(delivery: &Delivery) -> Vec<Vec<String>> {
    let name = |artifact: &Stored<Artifact>| artifact.payload["name"].as_str().unwrap().to_owned();
    delivery.groups.iter().map(|group| group.iter().map(name).collect()).collect()
}

/// One hand-over of one group with these names.
pub(crate) fn group(names: &[&str]) -> Vec<Vec<String>> {
    vec![names.iter().map(|name| (*name).to_owned()).collect()]
}

/// One hand-over of a batch of single artifacts.
pub(crate) fn batch(names: &[&str]) -> Vec<Vec<String>> {
    names.iter().map(|name| vec![(*name).to_owned()]).collect()
}

pub(crate) struct World {
    pub(crate) backend: &'static str,
    folder: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
    pub(crate) instance: Instance,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) options: WindowOptions,
    pub(crate) windows: Windows,
}

async fn open(backend: &str, path: &Path, clock: &Arc<ManualClock>) -> Store {
    let options = OpenOptions::default();
    let opened: Arc<dyn Backend> = match backend {
        "sqlite" => Arc::new(Sqlite::open(path, &options, &RandomIds).await.unwrap()),
        "sled" => Arc::new(Sled::open(path, &options, &RandomIds).await.unwrap()),
        _ => Arc::new(Memory::new(&RandomIds)),
    };
    Store::open(opened, StoreOptions { clock: clock.clone(), ..StoreOptions::default() })
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_micros(1_700_000_000_000_000)))
}

impl World {
    pub(crate) async fn new(backend: &'static str, subscriptions: Vec<Subscription>) -> Self {
        Self::with(backend, subscriptions, WindowOptions::default()).await
    }

    pub(crate) async fn with(
        backend: &'static str,
        subscriptions: Vec<Subscription>,
        options: WindowOptions,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = clock();
        let store = open(backend, &folder.path().join("store"), &clock).await;
        Self::begin((backend, folder), clock, store, (subscriptions, options)).await
    }

    /// One over a backend of the test's own.
    pub(crate) async fn over(
        backend: Arc<dyn Backend>,
        subscriptions: Vec<Subscription>,
        options: WindowOptions,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = clock();
        let settings = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
        let store = Store::open(backend, settings);
        Self::begin(("its own", folder), clock, store, (subscriptions, options)).await
    }

    async fn begin(
        (backend, folder): (&'static str, TempDir),
        clock: Arc<ManualClock>,
        store: Store,
        (subscriptions, options): (Vec<Subscription>, WindowOptions),
    ) -> Self {
        let instance = Instance::acquire(&store, false).await.unwrap();
        let recorder = Arc::new(Recorder::default());
        let windows =
            Windows::start(&instance, subscriptions, recorder.clone(), options).await.unwrap();
        Self { backend, folder, clock, store, instance, recorder, options, windows }
    }

    /// Ends the engine without a word, as a crash does, and starts another one after `down`. A
    /// store in memory lives through it.
    pub(crate) async fn restart(self, subscriptions: Vec<Subscription>, down: Duration) -> Self {
        let Self { backend, folder, clock, store, instance, options, windows, .. } = self;
        drop(windows);
        instance.release().await.unwrap();
        let store = if backend == "memory" {
            store
        } else {
            store.close().await.unwrap();
            drop((store, instance));
            open(backend, &folder.path().join("store"), &clock).await
        };
        clock.advance(down);
        let instance = Instance::acquire(&store, false).await.unwrap();
        let recorder = Arc::new(Recorder::default());
        let windows =
            Windows::start(&instance, subscriptions, recorder.clone(), options).await.unwrap();
        Self { backend, folder, clock, store, instance, recorder, options, windows }
    }

    pub(crate) async fn try_publish(&self, type_name: &str, payload: Value) -> Result<Published> {
        self.windows.publish(Artifact::new(type_name, payload, self.clock.now())).await
    }

    /// Publishes an artifact with a name and a key, and does what is due.
    pub(crate) async fn publish(&self, type_name: &str, name: &str, key: Value) -> Published {
        let payload = json!({ "name": name, "id": key });
        let published = self.try_publish(type_name, payload).await.unwrap();
        self.tick().await;
        published
    }

    pub(crate) async fn tick(&self) -> Option<Timestamp> {
        self.windows.tick().await.unwrap()
    }

    pub(crate) async fn advance(&self, by: Duration) -> Option<Timestamp> {
        self.clock.advance(by);
        self.tick().await
    }

    /// All windows in one state.
    pub(crate) async fn windows_in(&self, status: WindowStatus) -> Vec<Stored<Window>> {
        let kind = self.store.kind::<Window>();
        let mut query = kind.query().unwrap();
        query.page.limit = 1000;
        let all = kind.list(&query).await.unwrap().items;
        let all = all.into_iter().filter_map(Result::ok);
        all.filter(|window| window.status == status).collect()
    }

    /// How many windows there are in each state, in the order of the states asked for.
    pub(crate) async fn counts<const N: usize>(&self, states: [WindowStatus; N]) -> [usize; N] {
        let mut counts = [0; N];
        for (count, status) in counts.iter_mut().zip(states) {
            *count = self.windows_in(status).await.len();
        }
        counts
    }

    /// The actions of the events so far.
    pub(crate) async fn actions(&self) -> Vec<String> {
        let mut query = StreamQuery::of(Event::log().unwrap());
        query.page.limit = 1000;
        let entries = self.store.read(&query).await.unwrap().items;
        let events = entries.into_iter().map(|entry| {
            serde_json::from_slice::<Event>(&entry.unwrap().data).unwrap().action.unwrap()
        });
        events.collect()
    }

    pub(crate) async fn count_of(&self, action: &str) -> usize {
        self.actions().await.iter().filter(|one| *one == action).count()
    }
}

/// A subscription of ann to these types that have one `id`, within so many seconds.
pub(crate) fn join(types: &[&str], seconds: u64) -> Subscription {
    join_within(types, JoinWithin::Time(seconds * 1000))
}

pub(crate) fn join_within(types: &[&str], within: JoinWithin) -> Subscription {
    Subscription::new("ann", "join", types.iter().copied()).join_by("id", within)
}

/// A subscription of ann to type A in batches.
pub(crate) fn batched(size: Option<u32>, timeout_ms: Option<u64>) -> Subscription {
    Subscription::new("ann", "batch", ["A"]).in_batches(BatchSpec { size, timeout_ms })
}
