//! Commands as processes of this machine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use outlast_core::{Clock, Command, CommandLine, Host, HostStatus, ProcessIdentity, Result};
use outlast_store::Stored;

use super::completion::{Completion, KillSignal, Refusal};
use super::executor::{Execution, Executor, Released, Started};
use crate::process::{Capture, FlushPolicy, Gated, Running, Spec, Survivor};

/// Runs what an operation says to `run` as a process of this machine, in the folder of its host.
///
/// The process is told which it is by `OUTLAST_TASK_ID`, the id of its command, `OUTLAST_HOST_ID`
/// and `OUTLAST_OP`. The command is over when the process has exited; what it left in its process
/// group is killed then.
#[derive(Clone, Debug)]
pub struct LocalExecutor {
    clock: Arc<dyn Clock>,
    flush: FlushPolicy,
    drain: Duration,
}

impl LocalExecutor {
    /// An executor whose output is read by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, flush: FlushPolicy::default(), drain: Duration::from_secs(2) }
    }

    /// When gathered output is handed over, and how long it may go on after the end of a process.
    pub fn reading(self, flush: FlushPolicy, drain: Duration) -> Self {
        Self { flush, drain, ..self }
    }
}

#[async_trait]
impl Executor for LocalExecutor {
    async fn validate(
        &self,
        host: &Stored<Host>,
        command: &Stored<Command>,
    ) -> Result<(), Refusal> {
        if host.status == HostStatus::Offline {
            let message = format!("host {} is offline", host.hostname);
            return Err(Refusal::new("host_offline", message));
        }
        let spec = spec(host, command)?;
        spec.check().map_err(|error| Refusal::new("invalid_command", error.to_string()))
    }

    async fn start(
        &self,
        host: &Stored<Host>,
        command: &Stored<Command>,
    ) -> Result<Box<dyn Started>, Refusal> {
        let spec = spec(host, command)?;
        let gated = Gated::spawn(&spec)
            .map_err(|error| Refusal::new("execution_failed", error.to_string()))?;
        let (executor, command_id) = (self.clone(), command.id().to_owned());
        Ok(Box::new(Prepared { gated, executor, command_id }))
    }
}

/// What is spawned for a command; a refusal if it says nothing to run.
fn spec(host: &Host, command: &Stored<Command>) -> Result<Spec, Refusal> {
    let run: CommandLine = command.spec.run.clone().ok_or_else(|| {
        let message = format!("operation {} says nothing to run here", command.spec.op);
        Refusal::new("no_command", message)
    })?;
    let mut spec = Spec::new(command.id(), run);
    spec.cwd = host.cwd.as_ref().map(Into::into);
    spec.env.clone_from(&command.spec.env);
    spec.env.insert("OUTLAST_HOST_ID".into(), command.host_id.clone());
    spec.env.insert("OUTLAST_OP".into(), command.spec.op.clone());
    Ok(spec)
}

/// A process behind its gate.
struct Prepared {
    gated: Gated,
    executor: LocalExecutor,
    command_id: String,
}

#[async_trait]
impl Started for Prepared {
    fn identity(&self) -> Option<&ProcessIdentity> {
        Some(self.gated.identity())
    }

    async fn release(self: Box<Self>) -> Result<Released> {
        let Self { gated, executor, command_id } = *self;
        let (running, pipes) = gated.release()?;
        let (capture, output) = Capture::start(pipes, executor.flush, executor.clock);
        let execution = Process { running, capture, drain: executor.drain, command_id };
        Ok(Released { execution: Arc::new(execution), output: output.boxed() })
    }
}

/// A process that runs.
struct Process {
    running: Running,
    capture: Capture,
    drain: Duration,
    command_id: String,
}

#[async_trait]
impl Execution for Process {
    async fn ended(&self) -> Result<Completion> {
        let finished = self.running.finish(&self.capture, self.drain).await;
        self.capture.cut();
        let exit = finished?;
        Ok(Completion { exit_code: exit.code, signal: exit.signal, missed: None })
    }

    async fn signal(&self, signal: KillSignal) -> Result<()> {
        if signal == KillSignal::Term {
            return self.running.ask();
        }
        // Found first: a parent that still runs may be all that ties a process to the command.
        let found = Survivor::find(self.running.identity(), &self.command_id).await;
        self.running.interrupt(Duration::ZERO).await?;
        match found? {
            Some(survivor) => survivor.stop(Duration::ZERO).await.map(drop),
            None => Ok(()),
        }
    }
}
