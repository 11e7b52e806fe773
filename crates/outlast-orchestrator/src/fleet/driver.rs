//! Carrying one command out, from pending to settled.
//!
//! The order is what makes it durable: the process exists, is recorded, and only then let go; what
//! it writes is recorded while it runs; and its end is recorded after the last of its output.
//!
//! The driver follows the command's record. So whoever kills, extends or skips it, in this process
//! or in another, writes that down, and the driver does it.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use outlast_core::{
    Command, CommandStatus, Error, ErrorKind, Key, Result, Status, StreamName, Timestamp,
};
use outlast_store::{Store, Stored, Watch};
use tokio::sync::Notify;
use tokio::time::sleep;
use tracing::{Instrument, debug, info_span};

use super::completion::{Completion, KillSignal, Refusal, Settlement};
use super::executor::{Execution, Executor, Fragments, Released};
use super::{Commands, Fleet};
use crate::output::Output;
use crate::{Instance, Shutdown, Urgency};

/// How a driver waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverOptions {
    /// How long a command that was asked to end may take before it is killed.
    pub grace: Duration,
}

/// 10 s.
impl Default for DriverOptions {
    fn default() -> Self {
        Self { grace: Duration::from_secs(10) }
    }
}

/// Carries commands out under the right to drive a store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Driver {
    instance: Instance,
    executor: Arc<dyn Executor>,
    options: DriverOptions,
}

impl Driver {
    /// A driver with the usual options.
    pub fn new(instance: &Instance, executor: Arc<dyn Executor>) -> Self {
        Self { instance: instance.clone(), executor, options: DriverOptions::default() }
    }

    /// The same with other options.
    pub fn with_options(self, options: DriverOptions) -> Self {
        Self { options, ..self }
    }

    /// Carries out a pending command, and returns it as it was settled.
    ///
    /// It is checked, and blocked if it cannot be sent; it is warned about and over its time by
    /// its deadlines, killed when somebody records that it is to be, and settled by its end. One
    /// that has to wait for its host to come back is waited for. If somebody else settles it first,
    /// theirs stays, and what runs is killed.
    ///
    /// Once `shutdown` has begun, a command that was not sent, or waits for its host, is returned
    /// as it is; one that runs is asked to end, and killed after its grace.
    ///
    /// Errors are those of [`Commands`]; `IllegalTransition` if it was not pending, unless it is
    /// settled already and is returned as it is. After an
    /// error, or if the future is dropped, a process of this machine is killed, and the command
    /// stays as it was recorded, for recovery to find.
    pub async fn run(&self, command_id: &str, shutdown: &Shutdown) -> Result<Stored<Command>> {
        let fleet = Fleet::driven_by(&self.instance);
        let commands = fleet.commands();
        if shutdown.has_begun() {
            return commands.get(command_id).await;
        }
        let is_shut_down = AtomicBool::new(false);
        let work = Work { driver: self, commands, id: command_id, shutdown, is_shut_down };
        let span = info_span!("command", id = command_id);
        // On the heap, for it is large and others hold many of it.
        match Box::pin(work.run(&fleet).instrument(span)).await {
            // Somebody else was faster: theirs stays.
            Err(error) if error.kind() == ErrorKind::IllegalTransition => {
                let command = work.commands.get(command_id).await?;
                if command.status.is_settled() { Ok(command) } else { Err(error) }
            }
            other => other,
        }
    }
}

/// One command while it is carried out.
struct Work<'a> {
    driver: &'a Driver,
    commands: Commands,
    id: &'a str,
    shutdown: &'a Shutdown,
    /// Whether it is the shutdown that it was killed for.
    is_shut_down: AtomicBool,
}

impl Work<'_> {
    async fn run(&self, fleet: &Fleet) -> Result<Stored<Command>> {
        let executor = &self.driver.executor;
        let command = self.commands.validate(self.id).await?;
        let host = match fleet.hosts().get(&command.host_id).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let refusal = Refusal::new("host_removed", error.to_string());
                return self.commands.block(self.id, &refusal).await;
            }
            host => host?,
        };
        if let Err(refusal) = executor.validate(&host, &command).await {
            return self.commands.block(self.id, &refusal).await;
        }
        let started = match executor.start(&host, &command).await {
            Ok(started) => started,
            Err(refusal) => return self.commands.fail(self.id, &refusal).await,
        };
        let command = self.commands.execute(self.id, started.identity().cloned()).await?;
        debug!(op = %command.spec.op, host = %command.host_id, "sent");
        match started.release().await {
            Ok(released) => self.supervise(command, released).await,
            Err(error) => self.commands.fail(self.id, &failure(&error)).await,
        }
    }

    async fn supervise(
        &self,
        command: Stored<Command>,
        released: Released,
    ) -> Result<Stored<Command>> {
        let Released { execution, output } = released;
        let broken = Notify::new();
        let record = async {
            let recorded = self.record(&command.key, output).await;
            if recorded.is_err() {
                broken.notify_one();
            }
            recorded
        };
        let watched = self.watch(command.clone(), &*execution, &broken);
        let (ended, recorded) = tokio::join!(watched, record);
        recorded?;
        match ended? {
            Some(ended) => self.settle(ended).await,
            None => self.commands.get(self.id).await,
        }
    }

    /// Writes down what the command writes, all of it.
    async fn record(&self, key: &Key, output: Fragments) -> Result<()> {
        let instance = self.driver.instance.clone();
        let (stream, owner) = (log_of(self.id)?, key.clone());
        let heard = Arc::new(Notify::new());
        let output_of = Output { instance: instance.clone(), stream, owner, heard };
        let rest = output_of.record(output).await?;
        if rest.is_empty() {
            return Ok(());
        }
        let mut draft = instance.draft(instance.store().cause().clone());
        draft.append(output_of.stream, rest);
        instance.commit(&draft).await.map(drop)
    }

    /// Waits for the end of the work, and does meanwhile what its record says. `None` if somebody
    /// else settled the command.
    async fn watch(
        &self,
        command: Stored<Command>,
        execution: &dyn Execution,
        broken: &Notify,
    ) -> Result<Option<Result<Completion>>> {
        let watched = self.follow(command, execution, broken).await;
        if !matches!(watched, Ok(Some(_))) {
            // Its output is read until it is gone, so this does not wait for ever.
            execution.signal(KillSignal::Kill).await?;
            execution.ended().await?;
        }
        watched
    }

    async fn follow(
        &self,
        mut command: Stored<Command>,
        execution: &dyn Execution,
        broken: &Notify,
    ) -> Result<Option<Result<Completion>>> {
        let mut states = self.states()?;
        let mut known = Urgency::None;
        let mut sent = None;
        let mut kill_at = None;
        loop {
            tokio::select! {
                biased;
                ended = execution.ended() => return Ok(Some(ended)),
                state = states.next() => command = living(state?, self.id)?,
                () = self.comes(command.deadline()) => command = self.commands.due(self.id).await?,
                () = self.comes(kill_at) => {
                    command = self.commands.kill(self.id, KillSignal::Kill).await?;
                }
                urgency = self.shutdown.beyond(known) => {
                    known = urgency;
                    command = self.shut_down(&command, urgency).await?;
                }
                () = broken.notified() => return Ok(None),
            }
            if command.status.is_settled() {
                return Ok(None);
            }
            let wanted = KillSignal::of(&command);
            if let Some(signal) = wanted.filter(|_| wanted > sent) {
                sent = wanted;
                kill_at = (signal == KillSignal::Term)
                    .then(|| self.now().plus(self.driver.options.grace));
                execution.signal(signal).await?;
            }
        }
    }

    async fn shut_down(&self, command: &Command, urgency: Urgency) -> Result<Stored<Command>> {
        if command.status != CommandStatus::Killing {
            self.is_shut_down.store(true, Ordering::Relaxed);
        }
        let signal = match urgency {
            Urgency::Immediate => KillSignal::Kill,
            _ => KillSignal::Term,
        };
        let cause = self.store().cause().clone().because("the orchestrator was shut down");
        let commands = Fleet::driven_by(&self.driver.instance).with_cause(cause).commands();
        commands.kill(self.id, signal).await
    }

    /// Records the end of the work. What goes away by what it does is waited for.
    async fn settle(&self, ended: Result<Completion>) -> Result<Stored<Command>> {
        let command = self.commands.get(self.id).await?;
        let may_return =
            matches!(command.status, CommandStatus::Executing | CommandStatus::RunningWarning)
                && command.spec.reconnect_ms.is_some();
        match ended {
            Ok(completion) if !(may_return && completion == Completion::exited(0)) => {
                let is_shut_down = self.is_shut_down.load(Ordering::Relaxed);
                let decide = |command: &Command| {
                    if is_shut_down {
                        Settlement::shut_down(command, &completion)
                    } else {
                        Settlement::completed(command, &completion)
                    }
                };
                self.commands.settle(self.id, decide).await
            }
            Err(error) if !may_return => self.commands.fail(self.id, &failure(&error)).await,
            ended => {
                let exit_code = ended.ok().and_then(|completion| completion.exit_code);
                match self.commands.await_reconnect(self.id, exit_code).await {
                    Ok(command) => self.reconnect(command).await,
                    // Its time ended, or killing it began, a moment before: it is not waited for.
                    Err(error) if error.kind() == ErrorKind::IllegalTransition => {
                        let completion = Completion { exit_code, ..Completion::default() };
                        self.commands.finish(self.id, &completion).await
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// Waits until somebody says how the host came back, or it is too late.
    async fn reconnect(&self, mut command: Stored<Command>) -> Result<Stored<Command>> {
        let mut states = self.states()?;
        while !command.status.is_settled() {
            tokio::select! {
                biased;
                state = states.next() => command = living(state?, self.id)?,
                () = self.comes(command.deadline()) => command = self.commands.due(self.id).await?,
                () = self.shutdown.begun() => return Ok(command),
            }
        }
        Ok(command)
    }

    fn states(&self) -> Result<Watch<Command>> {
        self.store().kind::<Command>().watch(self.id)
    }

    fn store(&self) -> &Store {
        self.driver.instance.store()
    }

    fn now(&self) -> Timestamp {
        self.store().clock().now()
    }

    /// Resolves when it is that late; never for no moment.
    async fn comes(&self, moment: Option<Timestamp>) {
        match moment {
            Some(moment) => sleep(moment.since(self.now())).await,
            None => pending().await,
        }
    }
}

fn living(command: Option<Stored<Command>>, id: &str) -> Result<Stored<Command>> {
    command.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("command/{id} was deleted while it ran"))
    })
}

fn failure(error: &Error) -> Refusal {
    Refusal::new("execution_failed", error.to_string())
}

/// The stream that a command's output is kept in.
fn log_of(command_id: &str) -> Result<StreamName> {
    Key::new(Command::LOG, command_id)
}
