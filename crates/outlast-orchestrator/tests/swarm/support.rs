//! A store with a clock that stands still, and what is read back from it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    Agent, AgentStatus, Clock, Event, ManualClock, Page, StreamQuery, Swarm, SwarmConfig,
    SwarmMetrics, SystemClock, Timestamp,
};
use outlast_orchestrator::swarm::{
    AgentHandle, Due, NewAgent, NewSwarm, Orchestra, Retries, SwarmHandle,
};
use outlast_store::{Store, StoreOptions, Stored};
use tempfile::TempDir;

pub(crate) use crate::opened::{BACKENDS, open};

/// How long anything here may take before it counts as stuck.
pub(crate) const STUCK: Duration = Duration::from_mins(2);

/// A store with a clock that is moved by hand.
pub(crate) struct Stage {
    pub(crate) backend: &'static str,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
    pub(crate) orchestra: Orchestra,
    folder: Option<TempDir>,
}

pub(crate) async fn stage(backend: &'static str) -> Stage {
    // Ids tell the time too, and one that is too old is refused.
    let clock = Arc::new(ManualClock::at(SystemClock::default().now()));
    raise(backend, clock, tempfile::tempdir().unwrap()).await
}

/// A stage in memory.
pub(crate) async fn in_memory() -> Stage {
    stage("memory").await
}

async fn raise(backend: &'static str, clock: Arc<ManualClock>, folder: TempDir) -> Stage {
    let opened = open(backend, &folder.path().join("store")).await;
    let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
    let store = Store::open(opened.backend().clone(), options);
    let orchestra = Orchestra::new(&store);
    Stage { backend, clock, store, orchestra, folder: Some(folder) }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).unwrap();
        }
    }
}

impl Stage {
    /// Closes the store and opens it again, as another process would.
    pub(crate) async fn reopened(mut self) -> Self {
        self.store.close().await.unwrap();
        raise(self.backend, self.clock.clone(), self.folder.take().unwrap()).await
    }

    /// What another process would find if this one ended here, without closing anything.
    pub(crate) async fn crashed(&self) -> Self {
        let (from, to) = (self.folder.as_ref().unwrap().path(), tempfile::tempdir().unwrap());
        copy(from, to.path());
        raise(self.backend, self.clock.clone(), to).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// An active swarm with room for many agents.
    pub(crate) async fn swarm(&self, id: &str) -> SwarmHandle {
        let swarm = self.new_swarm(id, 100).await;
        swarm.activate().await.unwrap();
        swarm
    }

    /// A swarm that is creating.
    pub(crate) async fn new_swarm(&self, id: &str, max_agents: u32) -> SwarmHandle {
        let config = SwarmConfig::new(id, "work", max_agents);
        self.orchestra.swarms().create(NewSwarm::new(config).called(id)).await.unwrap()
    }

    pub(crate) fn retries(&self) -> Retries {
        self.orchestra.retries()
    }

    /// What is due, which nothing keeps from being handed over.
    pub(crate) async fn due(&self) -> Due {
        let due = self.retries().due().await.unwrap();
        assert!(due.problems.is_empty(), "{due:?}");
        due
    }

    /// The event log, oldest first.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let mut query = StreamQuery::of(Event::log().unwrap());
        query.page = Page::first(1000);
        let mut events = Vec::new();
        loop {
            let page = self.store.read(&query).await.unwrap();
            events.extend(
                page.items.into_iter().map(|e| serde_json::from_slice(&e.unwrap().data).unwrap()),
            );
            let Some(next) = page.next else { return events };
            query.page = query.page.after(next);
        }
    }

    /// What was told, as `action of subject`.
    pub(crate) async fn told(&self) -> Vec<String> {
        let of = |event: Event| format!("{} of {}", event.action.unwrap(), event.subject.unwrap());
        self.events().await.into_iter().map(of).collect()
    }
}

pub(crate) fn agent() -> NewAgent {
    NewAgent::new("work").with_model("small")
}

/// An agent that is running.
pub(crate) async fn running(swarm: &SwarmHandle, agent: NewAgent) -> AgentHandle {
    let agent = swarm.add(agent).await.unwrap();
    agent.start().await.unwrap();
    agent
}

/// An agent in some state, brought there by operations.
pub(crate) async fn agent_in(swarm: &SwarmHandle, status: AgentStatus) -> AgentHandle {
    let agent = swarm.add(agent()).await.unwrap();
    match status {
        AgentStatus::Pending => {}
        AgentStatus::Spawning => drop(agent.spawn().await.unwrap()),
        AgentStatus::Failed => drop(agent.fail("broken").await.unwrap()),
        AgentStatus::Killed => drop(agent.kill().await.unwrap()),
        at_work => {
            agent.start().await.unwrap();
            match at_work {
                AgentStatus::Paused => drop(agent.pause().await.unwrap()),
                AgentStatus::Blocked => drop(agent.block().await.unwrap()),
                AgentStatus::Retrying => drop(agent.fail("broken").await.unwrap()),
                AgentStatus::Completed => drop(agent.complete().await.unwrap()),
                _ => {}
            }
        }
    }
    assert_eq!(agent.get().await.unwrap().status, status);
    agent
}

/// Counts the agents of a swarm one by one.
pub(crate) async fn recount(stage: &Stage, swarm: &str) -> SwarmMetrics {
    let mut metrics = SwarmMetrics::default();
    for agent in agents_of(stage, swarm).await {
        metrics.total += 1;
        match agent.status {
            AgentStatus::Completed => metrics.completed += 1,
            AgentStatus::Failed => metrics.failed += 1,
            AgentStatus::Killed => metrics.killed += 1,
            _ => {}
        }
    }
    metrics
}

/// All agents of a swarm, the newest first.
pub(crate) async fn agents_of(stage: &Stage, swarm: &str) -> Vec<Stored<Agent>> {
    let page = stage.orchestra.agents().of_swarm(swarm, Page::first(1000)).await.unwrap();
    assert!(page.next.is_none());
    page.items.into_iter().map(Result::unwrap).collect()
}

/// The versions of a swarm, oldest first.
pub(crate) async fn versions(swarm: &SwarmHandle) -> Vec<Swarm> {
    let page = swarm.history(Page::first(1000)).await.unwrap();
    let mut versions: Vec<_> =
        page.items.into_iter().map(|past| past.unwrap().value.unwrap()).collect();
    versions.reverse();
    versions
}

/// The future, which must not hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(STUCK, future).await.expect("this hangs")
}
