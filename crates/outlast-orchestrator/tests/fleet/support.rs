//! A fleet on a store whose clock stands still, that can be closed and opened again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    AttrName, AttrValue, Backend, Claim, Clock, Command, CommandLine, CommandStatus, Entity, Event,
    Expect, Host, Json, Listed, ManualClock, Op, OpSpec, OpenOptions, Put, RandomIds, Result,
    Status, StreamQuery, Timestamp,
};
use outlast_memory::Memory;
use outlast_orchestrator::events::{EventLog, EventQuery};
use outlast_orchestrator::fleet::{Commands, Fleet, Hosts};
use outlast_orchestrator::{Instance, Shutdown};
use outlast_sled::Sled;
use outlast_sqlite::Sqlite;
use outlast_store::{Store, StoreOptions, Stored};
use tempfile::TempDir;

pub(crate) const BACKENDS: [&str; 3] = ["memory", "sqlite", "sled"];
/// Those that remember.
pub(crate) const DURABLE: [&str; 2] = ["sqlite", "sled"];

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// How long anything here may take before it counts as stuck.
pub(crate) const STUCK: Duration = Duration::from_mins(2);

/// A store, its clock, and where it lies.
pub(crate) struct Scene {
    _folder: TempDir,
    path: PathBuf,
    pub(crate) name: &'static str,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
}

impl Scene {
    pub(crate) async fn new(name: &'static str) -> Self {
        // Long before now: an id that is older than the clock by an hour is refused.
        let clock = Arc::new(ManualClock::at("2024-05-01T12:00:00Z".parse().unwrap()));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let backend = opened(name, &path).await;
        let store = over(&backend, &clock);
        Self { _folder: folder, path, name, backend, clock, store }
    }

    /// Closes the store and opens it again, with nothing of this process left.
    pub(crate) async fn reopened(mut self) -> Self {
        self.store.close().await.unwrap();
        self.backend = opened(self.name, &self.path).await;
        self.store = over(&self.backend, &self.clock);
        self
    }

    /// Another handle that shares nothing with the first but the data, as another process has.
    pub(crate) fn other(&self) -> Store {
        over(&self.backend, &self.clock)
    }

    pub(crate) fn commands(&self) -> Commands {
        Fleet::new(&self.store).commands()
    }

    pub(crate) fn hosts(&self) -> Hosts {
        Fleet::new(&self.store).hosts()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn host(&self, id: &str) -> Stored<Host> {
        let host = Host::new(format!("{id}.example"), self.now());
        self.hosts().register(id, host).await.unwrap()
    }

    /// A command in any state, with what such a command has.
    pub(crate) async fn in_state(&self, host_id: &str, status: CommandStatus) -> Stored<Command> {
        let now = self.now();
        let mut command = Command { status, ..Command::new(host_id, OpSpec::new("pull"), now) };
        command.spec.retryable = true;
        if !matches!(
            status,
            CommandStatus::Queued | CommandStatus::Pending | CommandStatus::Validating
        ) {
            command.started_at = Some(now);
            command.warning_at = Some(now.plus(OpSpec::WARNING));
            command.timeout_at = Some(now.plus(OpSpec::TIMEOUT));
        }
        if status == CommandStatus::Killing {
            command.kill_initiated_at = Some(now);
            command.kill_signal = Some("TERM".to_owned());
        }
        if status.is_settled() {
            command.finished_at = Some(now);
        }
        let id = self.store.ids().uuid().to_string();
        let stored = self.store.kind().create(&id, &command).await.unwrap();
        if !status.is_settled() && status != CommandStatus::Queued {
            let claim = Claim { holder: id, claimed_at: now };
            let claims = self.store.kind::<Claim>();
            claims.create(&format!("host/{host_id}"), &claim).await.unwrap();
        }
        stored
    }

    /// Gives a command content of another shape, its attributes as they were.
    pub(crate) async fn spoil(&self, command: &Stored<Command>) {
        let mut attrs = command.attributes().unwrap();
        attrs.insert(AttrName::status(), command.status.as_str().into());
        let put = Put {
            key: command.key.clone(),
            expect: Expect::At(command.version),
            schema: 1,
            attrs,
            state: Json::parse("{\"unlike\":\"a command\"}").unwrap(),
        };
        let mut draft = self.store.draft();
        draft.op(Op::Put(put));
        draft.commit().await.unwrap();
    }

    pub(crate) async fn claim(&self, host_id: &str) -> Option<String> {
        let claim = self.store.kind::<Claim>().find(&format!("host/{host_id}")).await.unwrap();
        claim.map(|claim| claim.holder.clone())
    }

    /// How many events there are.
    pub(crate) async fn told(&self) -> u64 {
        let query = EventQuery { limit: 1, ..EventQuery::default() };
        let newest = EventLog::new(&self.store).list(&query).await.unwrap().items.pop();
        newest.map_or(0, |event| event.unwrap().seq.0)
    }

    /// The newest events, the last first.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let query = EventQuery { limit: EventQuery::MOST, ..EventQuery::default() };
        let page = EventLog::new(&self.store).list(&query).await.unwrap();
        page.items.into_iter().map(|event| event.unwrap().event).collect()
    }
}

async fn opened(name: &str, path: &std::path::Path) -> Arc<dyn Backend> {
    let options = OpenOptions::default();
    match name {
        "sqlite" => Arc::new(Sqlite::open(path, &options, &RandomIds).await.unwrap()),
        "sled" => Arc::new(Sled::open(path, &options, &RandomIds).await.unwrap()),
        _ => Arc::new(Memory::new(&RandomIds)),
    }
}

fn over(backend: &Arc<dyn Backend>, clock: &Arc<ManualClock>) -> Store {
    let clock: Arc<dyn Clock> = clock.clone();
    Store::open(backend.clone(), StoreOptions { clock, ..StoreOptions::default() })
}

/// The ids on a page.
pub(crate) fn ids(page: Listed<Result<Stored<Command>>>) -> Vec<String> {
    page.items.into_iter().map(|command| command.unwrap().id().to_owned()).collect()
}

pub(crate) fn op(name: &str) -> OpSpec {
    OpSpec::new(name)
}

pub(crate) fn shell(line: &str) -> OpSpec {
    OpSpec { run: Some(CommandLine::Shell(line.to_owned())), ..OpSpec::new("work") }
}

/// What a command wrote to one of its streams, byte for byte.
pub(crate) async fn output(store: &Store, id: &str, stream: &str) -> Vec<u8> {
    let log = outlast_core::Key::new(Command::LOG, id).unwrap();
    let name = AttrName::new("stream").unwrap();
    let mut query = StreamQuery::of(log);
    let mut bytes = Vec::new();
    loop {
        let page = store.read(&query).await.unwrap();
        for entry in page.items {
            let entry = entry.unwrap();
            if entry.attrs[&name] == AttrValue::from(stream) {
                bytes.extend(entry.data);
            }
        }
        match page.next {
            Some(next) => query.page = query.page.after(next),
            None => return bytes,
        }
    }
}

/// The right to drive a scene's store, and a sign to stop.
pub(crate) async fn driving(scene: &Scene) -> (Instance, Shutdown) {
    (Instance::acquire(&scene.store, false).await.unwrap(), Shutdown::default())
}

/// Fails instead of hanging.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(STUCK, future).await.unwrap_or_else(|_| panic!("{what} is stuck"))
}
