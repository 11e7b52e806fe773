//! Asking for a command.

use std::time::Duration;

use outlast_core::{
    Claim, Command, CommandStatus, Error, EventLevel, Expect, Host, HostStatus, Id, Op, OpSpec,
    Result, Status, Timestamp,
};
use outlast_store::{Draft, Stored};

use super::busy::{claim_key, or_busy, take};
use super::commands::{Change, Commands};
use super::writer::Writer;
use super::{outcome, report};

/// What is asked for.
struct Request<'a> {
    host_id: &'a str,
    spec: OpSpec,
    /// The pipeline and its stage.
    stage: Option<(&'a str, u32)>,
    may_wait: bool,
}

impl Commands {
    /// Begins a command: it is pending, and has its host. `NotFound` for an unknown host, `Invalid`
    /// or `TooLarge` for an operation whose name breaks the rules of an [`Id`], and `Exists` with
    /// [`HostBusy`](super::HostBusy) as its source while another command has the host.
    pub async fn begin(&self, host_id: &str, spec: OpSpec) -> Result<Stored<Command>> {
        self.record(&Request { host_id, spec, stage: None, may_wait: false }).await
    }

    /// The same, but if the host is offline, or others wait for it, the command waits in a queue
    /// until the host is back, at most for the operation's `queue_ms`. A host that is there and
    /// works on something is busy all the same.
    pub async fn begin_or_queue(&self, host_id: &str, spec: OpSpec) -> Result<Stored<Command>> {
        self.record(&Request { host_id, spec, stage: None, may_wait: true }).await
    }

    /// Begins the command of a pipeline's stage on a host, and moves the
    /// [`StageOutcome`](outlast_core::StageOutcome) from pending to running in the same commit.
    /// The commit that settles the command will move it on.
    ///
    /// Errors as for [`begin`](Commands::begin); `NotFound` also for an unknown pipeline, stage or
    /// outcome, and `IllegalTransition` if the outcome is not pending, or the pipeline does not
    /// run, or is in another stage.
    pub async fn begin_stage(
        &self,
        pipeline_id: &str,
        stage: u32,
        host_id: &str,
    ) -> Result<Stored<Command>> {
        let spec = outcome::spec_of(&self.writer.store, pipeline_id, stage).await?;
        let stage = Some((pipeline_id, stage));
        self.record(&Request { host_id, spec, stage, may_wait: false }).await
    }

    async fn record(&self, request: &Request<'_>) -> Result<Stored<Command>> {
        Id::new(&request.spec.op).map_err(|error| error.context("the name of an operation"))?;
        let id = self.writer.store.ids().uuid().to_string();
        let keys = [claim_key(request.host_id)?];
        let begun = self
            .writer
            .write(&keys, || async { Ok((Some(self.first(&id, request).await?), ())) })
            .await;
        or_busy(&self.writer.store, request.host_id, begun).await?;
        self.get(&id).await
    }

    /// The command's first state, and all that hangs on it.
    async fn first(&self, id: &str, request: &Request<'_>) -> Result<Draft> {
        let Writer { store, cause, .. } = &self.writer;
        let now = self.writer.now();
        let host = store.kind::<Host>().get(request.host_id).await?;
        let waits = request.may_wait && self.must_wait(&host).await?;
        let command = Command {
            pipeline_id: request.stage.map(|(pipeline, _)| pipeline.to_owned()),
            stage: request.stage.map(|(_, stage)| stage),
            ..Command::new(request.host_id, request.spec.clone(), now)
        };
        let command = if waits { queued(command, now) } else { command };
        let mut draft = self.writer.draft();
        draft.op(Op::Assert { key: host.key.clone(), expect: Expect::Live });
        draft.create(id, &command)?;
        if !waits {
            let claim = Claim { holder: id.to_owned(), claimed_at: now };
            take(store, &mut draft, request.host_id, &claim).await?;
        }
        outcome::begin(store, &mut draft, id, &command).await?;
        let does = if waits { "waits for" } else { "begins on" };
        let message = format!("{} {does} host {}", command.spec.op, host.hostname);
        let key = self.kind().key(id)?;
        draft.report(&report::event(cause, &key, &command, EventLevel::Info, message))?;
        Ok(draft)
    }

    async fn must_wait(&self, host: &Stored<Host>) -> Result<bool> {
        Ok(host.status == HostStatus::Offline || self.first_queued(host.id()).await?.is_some())
    }

    /// Takes a command out of the queue: it is pending, and has its host. Errors as for
    /// [`begin`](Commands::begin); whether the host is there and the command is the first in the
    /// queue is not looked at.
    pub async fn dequeue(&self, id: &str) -> Result<Stored<Command>> {
        let host_id = self.get(id).await?.host_id.clone();
        let cause = &self.writer.cause;
        let taken = self
            .change(id, |command, _| {
                let next =
                    Command { queued_until: None, ..plain(command, CommandStatus::Pending)? };
                let message = format!("{} is taken out of the queue", next.spec.op);
                let event = report::event(cause, &command.key, &next, EventLevel::Info, message);
                Ok(Change::to(next, event))
            })
            .await;
        or_busy(&self.writer.store, &host_id, taken).await
    }

    /// Puts a command that was not sent back into the queue, and gives its host back: recovery
    /// does, where it is allowed to. `Invalid` for one that is not retryable, or belongs to a
    /// pipeline, which decides for itself.
    pub async fn requeue(&self, id: &str, reason: &str) -> Result<Stored<Command>> {
        let cause = &self.writer.cause;
        self.change(id, |command, now| {
            let key = &command.key;
            command.status.check_move(CommandStatus::Queued, &key.to_string())?;
            if !command.spec.retryable || command.pipeline_id.is_some() {
                return Err(Error::invalid(format!(
                    "{key} cannot be queued again: it is not retryable, or belongs to a pipeline"
                )));
            }
            let next = queued((**command).clone(), now);
            let message = format!("{} is queued again: {reason}", next.spec.op);
            let event = report::event(cause, key, &next, EventLevel::Warn, message);
            Ok(Change::to(next, event))
        })
        .await
    }
}

/// The command as it waits in the queue.
fn queued(command: Command, now: Timestamp) -> Command {
    let longest = command.spec.queue_ms.map(Duration::from_millis);
    let queued_until = longest.map(|longest| now.plus(longest));
    Command { status: CommandStatus::Queued, queued_until, ..command }
}

/// The command in another state, to which it may plainly move.
pub(super) fn plain(command: &Stored<Command>, to: CommandStatus) -> Result<Command> {
    command.status.check_plain_move(to, &command.key.to_string())?;
    Ok(Command { status: to, ..(**command).clone() })
}
