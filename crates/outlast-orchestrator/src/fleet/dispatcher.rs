//! What a fleet does by itself: it looks after deadlines and silent hosts, and runs what is queued.
//!
//! It sleeps until the next moment at which there can be something to do, or until something is
//! committed: at once for commits of this process, within a second for those of others.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    AttrName, AttrValue, Command, CommandStatus, Error, ErrorKind, Result, Timestamp,
};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::executor::Executor;
use super::listing::in_state;
use super::presence::{HEARTBEAT, stale_after};
use super::{Driver, DriverOptions, Due, Fleet, Sweep};
use crate::{Instance, Shutdown};

/// The shortest time between two looks, so that a stream of commits does not make a stream of them.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// The longest: the clock that deadlines are told by may have been set meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How a dispatcher waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DispatcherOptions {
    /// How often a host is expected to be heard.
    pub heartbeat: Duration,
    /// On how many hosts queued commands run at the same time.
    pub hosts_at_once: usize,
    /// How each command is carried out.
    pub driver: DriverOptions,
}

/// Heartbeats of 5 s, 16 hosts.
impl Default for DispatcherOptions {
    fn default() -> Self {
        Self { heartbeat: HEARTBEAT, hosts_at_once: 16, driver: DriverOptions::default() }
    }
}

/// Looks after a fleet under the right to drive its store.
///
/// ```
/// # use std::sync::Arc;
/// # use outlast_core::{CommandLine, CommandStatus, Host, HostStatus, OpSpec, RandomIds, Result};
/// # use outlast_store::{Store, StoreOptions};
/// use outlast_orchestrator::fleet::{Dispatcher, Fleet, LocalExecutor};
/// use outlast_orchestrator::{Instance, Shutdown};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
/// # let store = Store::open(backend, StoreOptions::default());
/// let instance = Instance::acquire(&store, false).await?;
/// let executor = Arc::new(LocalExecutor::new(store.clock().clone()));
/// let dispatcher = Dispatcher::new(&instance, executor);
/// let fleet = Fleet::new(&store);
///
/// fleet.hosts().register("h1", Host::new("attic", store.clock().now())).await?;
/// fleet.hosts().disconnect("h1").await?;
/// let run = Some(CommandLine::Shell("echo hello".into()));
/// let hello = OpSpec { run, ..OpSpec::new("hello") };
/// let queued = fleet.commands().begin_or_queue("h1", hello).await?;
/// assert_eq!(queued.status, CommandStatus::Queued);
///
/// let shutdown = Shutdown::default();
/// let scenario = async {
///     fleet.hosts().heartbeat("h1", HostStatus::Online).await?;
///     let done = fleet.commands().settled(queued.id()).await?;
///     shutdown.begin();
///     Ok::<_, outlast_core::Error>(done)
/// };
/// let (ran, done) = tokio::join!(dispatcher.run(&shutdown), scenario);
/// assert_eq!(done?.status, CommandStatus::Success);
/// ran
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Dispatcher {
    instance: Instance,
    fleet: Fleet,
    executor: Arc<dyn Executor>,
    options: DispatcherOptions,
}

/// What one look at a fleet came to.
#[derive(Debug)]
pub struct Look {
    /// The deadlines that had passed.
    pub due: Due,
    /// The hosts that were silent for too long.
    pub sweep: Sweep,
}

impl Look {
    /// Before when there is nothing to do unless something is written.
    pub fn next(&self) -> Timestamp {
        self.due.next.map_or(self.sweep.next, |next| next.min(self.sweep.next))
    }
}

impl Dispatcher {
    /// A dispatcher with the usual options.
    pub fn new(instance: &Instance, executor: Arc<dyn Executor>) -> Self {
        let (fleet, options) = (Fleet::driven_by(instance), DispatcherOptions::default());
        Self { instance: instance.clone(), fleet, executor, options }
    }

    /// The same with other options.
    pub fn with_options(self, options: DispatcherOptions) -> Self {
        Self { options, ..self }
    }

    /// Does what is due at present, queued commands aside, and says when there is more to do.
    ///
    /// Cancel safe: each change is a commit of its own.
    pub async fn look(&self) -> Result<Look> {
        Ok(Look { due: self.due().await?, sweep: self.sweep().await? })
    }

    async fn due(&self) -> Result<Due> {
        let due = self.fleet.commands().all_due().await?;
        tell(&due.problems);
        Ok(due)
    }

    async fn sweep(&self) -> Result<Sweep> {
        let sweep = self.fleet.hosts().sweep(stale_after(self.options.heartbeat)).await?;
        tell(&sweep.problems);
        Ok(sweep)
    }

    /// Runs what waits for one host, one command after the other, as long as the host is there and
    /// free, and returns how many it ran. `NotFound` for a host that was removed: its queue is
    /// cancelled. Otherwise as [`Driver::run`].
    pub async fn run_queue(&self, host_id: &str, shutdown: &Shutdown) -> Result<u64> {
        let driver = Driver::new(&self.instance, self.executor.clone());
        let driver = driver.with_options(self.options.driver);
        let mut ran = 0;
        while !shutdown.has_begun() {
            let next = match self.fleet.commands().next_queued(host_id).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.fleet.hosts().cancel_queue(host_id).await?;
                    return Err(error);
                }
                next => next?,
            };
            let Some(command) = next else { break };
            driver.run(command.id(), shutdown).await?;
            ran += 1;
        }
        Ok(ran)
    }

    /// Looks after the fleet until `shutdown` begins, and then until what it runs has ended.
    ///
    /// What only says that the store is out of reach at present is tried again; other errors end
    /// it, `Fenced` among them. If the future is dropped, what it runs is killed, and found by
    /// recovery.
    pub async fn run(&self, shutdown: &Shutdown) -> Result<()> {
        let mut queues = Queues::default();
        // Made before the first look, so that nothing falls in between.
        let mut pulse = self.instance.store().pulse();
        let result = loop {
            let next = match self.turn(&mut queues, shutdown).await {
                Ok(next) => next,
                Err(error) if error.is_retryable() => {
                    warn!(error = %error, "the fleet is looked at again later");
                    self.now().plus(LONGEST_PAUSE)
                }
                Err(error) => break Err(error),
            };
            let pause = next.since(self.now()).min(LONGEST_PAUSE);
            let woken = tokio::select! {
                biased;
                () = shutdown.begun() => break Ok(()),
                ended = queues.ended() => ended,
                committed = pulse.next() => {
                    sleep(SHORTEST_PAUSE).await;
                    queues.idle.clear();
                    committed
                }
                () = sleep(pause) => {
                    queues.idle.clear();
                    Ok(())
                }
            };
            if let Err(error) = woken {
                break Err(error);
            }
        };
        if result.is_ok() {
            queues.drain().await?;
        }
        result
    }

    async fn turn(&self, queues: &mut Queues, shutdown: &Shutdown) -> Result<Timestamp> {
        let due = self.due().await?.next;
        // Every host is looked at, so not before one can have been silent for too long; nor much
        // later, where the clock was set back.
        let (now, stale_after) = (self.now(), stale_after(self.options.heartbeat));
        if queues.sweep_at <= now || queues.sweep_at > now.plus(stale_after) {
            queues.sweep_at = self.sweep().await?.next;
        }
        for host_id in self.awaited_hosts().await? {
            if queues.hosts.len() >= self.options.hosts_at_once.max(1) {
                break;
            }
            if queues.idle.contains(&host_id) {
                continue;
            }
            let is_free = match self.fleet.hosts().is_free(&host_id).await {
                // Its queue is cancelled there.
                Err(error) if error.kind() == ErrorKind::NotFound => true,
                Err(error) if error.is_of_one_record() => {
                    tell(&[error]);
                    false
                }
                is_free => is_free?,
            };
            if is_free && !shutdown.has_begun() {
                queues.run(self, host_id, shutdown);
            }
        }
        let next = due.map_or(queues.sweep_at, |due| due.min(queues.sweep_at));
        debug!(%next, running = queues.hosts.len(), "looked at the fleet");
        Ok(next)
    }

    /// The hosts that commands wait for.
    async fn awaited_hosts(&self) -> Result<Vec<String>> {
        let commands = self.instance.store().kind::<Command>();
        let query = commands.query()?.filter(in_state(CommandStatus::Queued));
        let counts = commands.count(&query, &[AttrName::new("host")?]).await?;
        let hosts = counts.groups.into_iter().filter_map(|(values, _)| match values.first() {
            Some(Some(AttrValue::Text(host))) => Some(host.to_string()),
            _ => None,
        });
        Ok(hosts.collect())
    }

    fn now(&self) -> Timestamp {
        self.instance.store().clock().now()
    }
}

/// The queues that are being run, each of another host, and when hosts are looked at next.
#[derive(Default)]
struct Queues {
    sweep_at: Timestamp,
    /// Those whose queue could not be run although they are free, until something changes.
    idle: HashSet<String>,
    hosts: HashSet<String>,
    runs: JoinSet<(String, Result<u64>)>,
}

impl Queues {
    fn run(&mut self, dispatcher: &Dispatcher, host_id: String, shutdown: &Shutdown) {
        if self.hosts.insert(host_id.clone()) {
            let (dispatcher, shutdown) = (dispatcher.clone(), shutdown.clone());
            self.runs.spawn(async move {
                let ran = dispatcher.run_queue(&host_id, &shutdown).await;
                (host_id, ran)
            });
        }
    }

    /// Resolves when one has ended; never while there is none. Cancel safe.
    async fn ended(&mut self) -> Result<()> {
        let Some(ended) = self.runs.join_next().await else { std::future::pending().await };
        let (host_id, ran) = ended.map_err(|cause| {
            Error::new(ErrorKind::Internal, "a queued command was broken off").with_source(cause)
        })?;
        self.hosts.remove(&host_id);
        match ran {
            Ok(ran) if ran > 0 => {
                debug!(host_id, ran, "ran a queue");
                return Ok(());
            }
            Ok(_) => {}
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => warn!(host_id, error = %error, "a queue was left"),
        }
        self.idle.insert(host_id);
        Ok(())
    }

    async fn drain(&mut self) -> Result<()> {
        while !self.runs.is_empty() {
            self.ended().await?;
        }
        Ok(())
    }
}

fn tell(problems: &[Error]) {
    for problem in problems {
        warn!(error = %problem, "a record of the fleet is left as it is");
    }
}

/// Whether nothing can be written any more.
fn is_final(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Fenced | ErrorKind::Closed | ErrorKind::Poisoned)
}
