//! The journal of commands: how one is read and how it is written.

use outlast_core::{Claim, Command, CommandStatus, Event, Result, Status, Timestamp};
use outlast_store::{Collection, Draft, Stored};

use super::busy::{give_back, take};
use super::outcome;
use super::writer::{Writer, written};
use crate::telemetry;

/// The journal of commands. Cheap to clone.
///
/// # Errors of every move
///
/// `NotFound` for an unknown command, `IllegalTransition`, naming both states, for a move that its
/// present one does not allow, `Fenced` on a fleet that lost its right to drive the store;
/// `RetriesExhausted` if others were faster time after time; otherwise the store's.
///
/// # Cancel safety
///
/// Dropping the future of a move makes it whole or not at all; reading tells.
#[derive(Clone, Debug)]
pub struct Commands {
    pub(super) writer: Writer,
}

/// What is to become of a command that was read.
pub(super) enum Change {
    /// Nothing.
    Stay,
    /// This, and people are told.
    To(Box<Command>, Option<Event>),
}

impl Change {
    pub(super) fn to(command: Command, event: Event) -> Self {
        Self::To(Box::new(command), Some(event))
    }

    pub(super) fn silent(command: Command) -> Self {
        Self::To(Box::new(command), None)
    }
}

impl Commands {
    pub(super) fn new(writer: Writer) -> Self {
        Self { writer }
    }

    pub(super) fn kind(&self) -> Collection<Command> {
        self.writer.store.kind()
    }

    /// Reads a command. `NotFound` if there is none.
    pub async fn get(&self, id: &str) -> Result<Stored<Command>> {
        self.kind().get(id).await
    }

    /// Reads a command, decides, and writes it with all that hangs on it; anew if it changed
    /// meanwhile.
    pub(super) async fn change(
        &self,
        id: &str,
        decide: impl Fn(&Stored<Command>, Timestamp) -> Result<Change> + Send + Sync,
    ) -> Result<Stored<Command>> {
        let keys = [self.kind().key(id)?];
        let attempt = || async {
            let stored = self.get(id).await?;
            match decide(&stored, self.writer.now())? {
                Change::Stay => Ok((None, (stored, None))),
                Change::To(next, event) => {
                    let draft = self.successor(&stored, &next, event.as_ref()).await?;
                    Ok((Some(draft), (stored, Some(next))))
                }
            }
        };
        let (receipt, (stored, next)) = self.writer.write(&keys, attempt).await?;
        let (Some(receipt), Some(next)) = (receipt, next) else { return Ok(stored) };
        if next.status.is_settled() && !stored.status.is_settled() {
            let status = next.status.as_str();
            metrics::counter!(telemetry::COMMANDS_SETTLED, "status" => status).increment(1);
        }
        stored.advanced(*next, written(&receipt, &stored.key)?, receipt.at)
    }

    /// The command's next state, and all that hangs on it.
    async fn successor(
        &self,
        stored: &Stored<Command>,
        next: &Command,
        event: Option<&Event>,
    ) -> Result<Draft> {
        let store = &self.writer.store;
        let mut draft = self.writer.draft();
        draft.replace(stored, next)?;
        match (holds_host(stored.status), holds_host(next.status)) {
            (true, false) => give_back(store, &mut draft, stored).await?,
            (false, true) => {
                let (holder, claimed_at) = (stored.id().to_owned(), self.writer.now());
                let claim = Claim { holder, claimed_at };
                take(store, &mut draft, &next.host_id, &claim).await?;
            }
            _ => {}
        }
        outcome::follow(store, &mut draft, stored.id(), next).await?;
        if let Some(event) = event {
            draft.report(event)?;
        }
        Ok(draft)
    }
}

/// Whether a command in this state has its host for itself.
pub(super) fn holds_host(status: CommandStatus) -> bool {
    !status.is_settled() && status != CommandStatus::Queued
}
