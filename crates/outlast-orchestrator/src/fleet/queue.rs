//! Commands that wait for a host which is not there, and what is due to all of them.

use std::ops::Bound;
use std::pin::pin;

use futures_util::StreamExt;
use outlast_core::{
    AttrName, AttrValue, Command, CommandStatus, Error, ErrorKind, Filter, HostStatus, Order, Page,
    Query, Result, Status, Test, Timestamp,
};
use outlast_store::Stored;

use super::busy::is_free;
use super::{Commands, HostBusy, Hosts};

/// What came of looking at every deadline that has passed.
#[derive(Debug, Default)]
pub struct Due {
    /// How many commands were due.
    pub commands: u64,
    /// Commands that cannot be read or changed. The others were looked at.
    pub problems: Vec<Error>,
    /// When the next one is due.
    pub next: Option<Timestamp>,
}

impl Commands {
    /// Does all that is due at present: warnings, the ends of times, the ends of waits for hosts.
    /// Deadlines are moments that are recorded: what passed while nobody looked is due now.
    ///
    /// Whoever does it by itself does so on a fleet with the right to drive the store. Cancel safe:
    /// each command is a commit of its own.
    pub async fn all_due(&self) -> Result<Due> {
        let mut due = Due::default();
        let passed = Filter::at_most(AttrName::deadline(), self.writer.now());
        let query = self.by_deadline()?.filter(passed);
        let mut commands = pin!(self.kind().stream(query));
        while let Some(command) = commands.next().await {
            let done = match command {
                Ok(command) => self.due(command.id()).await.map(drop),
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => due.commands += 1,
                Err(error) if is_of_one(&error) => due.problems.push(error),
                Err(error) => return Err(error),
            }
        }
        due.next = self.next_deadline().await?;
        Ok(due)
    }

    /// When the next deadline passes that has not.
    async fn next_deadline(&self) -> Result<Option<Timestamp>> {
        let now = Bound::Excluded(AttrValue::from(self.writer.now()));
        let later =
            Filter { name: AttrName::deadline(), test: Test::Within(now, Bound::Unbounded) };
        let query = Query { page: Page::first(1), ..self.by_deadline()?.filter(later) };
        let first = self.writer.store.list(&query).await?.items.pop();
        let attrs = first.map(outlast_core::Slot::live).transpose()?.flatten();
        Ok(attrs.and_then(|record| match record.attrs.get(&AttrName::deadline()) {
            Some(AttrValue::Int(micros)) => Some(Timestamp::from_micros(*micros)),
            _ => None,
        }))
    }

    /// Waits until a command is settled. Cancel safe.
    pub async fn settled(&self, id: &str) -> Result<Stored<Command>> {
        let mut states = self.kind().watch(id)?;
        loop {
            let command = states.next().await?.ok_or_else(|| {
                Error::new(ErrorKind::NotFound, format!("command/{id} does not exist"))
            })?;
            if command.status.is_settled() {
                return Ok(command);
            }
        }
    }

    fn by_deadline(&self) -> Result<Query> {
        Ok(Query { order: Order::Attr(AttrName::deadline()), ..self.kind().query()? })
    }

    /// Takes the command that waits longest for a host out of its queue, if the host is there and
    /// free. It is returned once, however many ask; then it is pending, for its caller to run.
    pub async fn next_queued(&self, host_id: &str) -> Result<Option<Stored<Command>>> {
        let hosts = Hosts::new(self.writer.clone());
        while let Some(first) = self.first_queued(host_id).await? {
            if !hosts.is_free(host_id).await? {
                return Ok(None);
            }
            if self.due(first.id()).await?.status != CommandStatus::Queued {
                continue;
            }
            match self.dequeue(first.id()).await {
                Ok(command) => return Ok(Some(command)),
                Err(error) if HostBusy::of(&error).is_some() => return Ok(None),
                // Somebody else took it or called it off: the next one is first now.
                Err(error) if error.kind() == ErrorKind::IllegalTransition => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

impl Hosts {
    /// Whether a command could begin on a host now.
    pub(super) async fn is_free(&self, id: &str) -> Result<bool> {
        let is_there = self.get(id).await?.status != HostStatus::Offline;
        Ok(is_there && is_free(&self.writer.store, id).await?)
    }
}

/// Whether an error leaves other commands and hosts as they are: also one that is gone, or that
/// somebody else keeps changing.
pub(super) fn is_of_one(error: &Error) -> bool {
    error.is_of_one_record()
        || matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::IllegalTransition | ErrorKind::RetriesExhausted
        )
}
