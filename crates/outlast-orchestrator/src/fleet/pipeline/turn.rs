//! One stage on one host, from its command's beginning to its end.

use std::future::pending;
use std::sync::Arc;

use outlast_core::{
    Command, CommandStatus, Error, ErrorKind, Result, StageOutcome, StageStatus, Status, Timestamp,
};
use outlast_store::Stored;
use tokio::time::sleep;

use super::conductor::Shared;
use super::options::OnTimeout;
use super::progress::Progress;
use crate::Shutdown;
use crate::fleet::{HostBusy, KillSignal};

const NEVER_SENT: &str = "never sent: the orchestrator was shut down";
const OVER_TIME: &str = "it was over its time";

/// One stage on one host.
pub(super) struct Turn {
    pub(super) shared: Arc<Shared>,
    pub(super) outcome: Stored<StageOutcome>,
    /// Tells it to end.
    pub(super) stop: Shutdown,
}

impl Turn {
    /// Begins the command of the stage and sees it through, or goes on to wait for the one that
    /// is under way. What became of the stage is read anew: others may have a say in it.
    ///
    /// If the future is dropped, a process of this machine is killed, and the stage stays as it
    /// was recorded.
    pub(super) async fn take(mut self) -> Result<Stored<StageOutcome>> {
        match self.outcome.status {
            StageStatus::Pending => Box::pin(self.begin()).await?,
            _ => self.follow().await?,
        }
        self.read().await
    }

    async fn begin(&mut self) -> Result<()> {
        let StageOutcome { pipeline_id, stage, host_id, .. } = &*self.outcome;
        let commands = self.shared.commands(None);
        match commands.begin_stage(pipeline_id, *stage, host_id).await {
            Ok(command) => {
                self.outcome = self.read().await?;
                self.shared.tell(Progress::of_outcome(&self.outcome));
                Box::pin(self.run(&command)).await
            }
            Err(error) if is_of_host(&error) => self.fail(&error.to_string()).await,
            // Somebody has called it off.
            Err(error) if error.kind() == ErrorKind::IllegalTransition => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn run(&self, command: &Stored<Command>) -> Result<()> {
        let driver = &self.shared.driver;
        let ended = tokio::select! {
            ended = driver.run(command.id(), &self.stop) => ended?,
            error = self.end_in_time(command.id()) => return error,
        };
        let was_sent = !matches!(ended.status, CommandStatus::Pending | CommandStatus::Validating);
        if !was_sent {
            self.shared.commands(None).orphan(ended.id(), NEVER_SENT).await?;
        }
        Ok(())
    }

    /// Kills the command when it is over its time, if that is asked for. Returns only with an
    /// error.
    async fn end_in_time(&self, command_id: &str) -> Result<()> {
        if self.shared.options.on_timeout == OnTimeout::Wait {
            return pending().await;
        }
        let mut states = self.shared.store().kind::<Command>().watch(command_id)?;
        while let Some(command) = states.next().await? {
            if command.status == CommandStatus::TimeoutPending {
                let commands = self.shared.commands(Some(OVER_TIME));
                match commands.kill(command_id, KillSignal::Term).await {
                    // It ended just then, or somebody else has decided.
                    Err(error) if error.kind() == ErrorKind::IllegalTransition => {}
                    killed => killed.map(drop)?,
                }
            }
        }
        pending().await
    }

    /// Waits for a command that this process does not carry out: its host is to come back.
    async fn follow(&self) -> Result<()> {
        let Some(command_id) = &self.outcome.command_id else { return Ok(()) };
        let store = self.shared.store();
        let mut states = store.kind::<Command>().watch(command_id)?;
        let mut deadline: Option<Timestamp> = None;
        loop {
            let due = async {
                match deadline {
                    Some(at) => sleep(at.since(store.clock().now())).await,
                    None => pending().await,
                }
            };
            let command = tokio::select! {
                biased;
                state = states.next() => state?,
                () = due => Some(self.shared.commands(None).due(command_id).await?),
                () = self.stop.begun() => return Ok(()),
            };
            match command {
                Some(command) if !command.status.is_settled() => deadline = command.deadline(),
                _ => return Ok(()),
            }
        }
    }

    /// The command could not begin.
    async fn fail(&self, error: &str) -> Result<()> {
        let outcome = self.read().await?;
        if outcome.status != StageStatus::Pending {
            return Ok(());
        }
        let next = StageOutcome {
            status: StageStatus::Failed,
            finished_at: Some(self.shared.store().clock().now()),
            error: Some(error.to_owned()),
            ..(*outcome).clone()
        };
        let mut draft = self.shared.draft(Some(error));
        draft.replace(&outcome, &next)?;
        match self.shared.instance.commit(&draft).await {
            // It was called off meanwhile.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            committed => committed.map(drop),
        }
    }

    async fn read(&self) -> Result<Stored<StageOutcome>> {
        self.shared.store().kind::<StageOutcome>().get(self.outcome.id()).await
    }
}

/// Whether a command could not begin because its host is busy, or gone.
fn is_of_host(error: &Error) -> bool {
    HostBusy::of(error).is_some() || error.kind() == ErrorKind::NotFound
}
