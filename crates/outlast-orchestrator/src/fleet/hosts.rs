//! The hosts of a fleet.

use outlast_core::{
    Actor, Claim, Error, ErrorKind, Event, EventCategory, EventLevel, Host, Listed, Page, Query,
    Result,
};
use outlast_store::{Collection, Draft, Stored};

use super::Commands;
use super::busy::{claim_key, keep_free, or_busy};
use super::completion::{Refusal, Settlement};
use super::writer::{Writer, written};

/// The hosts of a fleet. Cheap to clone.
///
/// # Errors of every change
///
/// `NotFound` for an unknown host; otherwise those of [`Commands`]. Dropping the future of one
/// leaves it whole or undone.
#[derive(Clone, Debug)]
pub struct Hosts {
    pub(super) writer: Writer,
}

impl Hosts {
    pub(super) fn new(writer: Writer) -> Self {
        Self { writer }
    }

    pub(super) fn kind(&self) -> Collection<Host> {
        self.writer.store.kind()
    }

    /// Reads a host. `NotFound` if there is none.
    pub async fn get(&self, id: &str) -> Result<Stored<Host>> {
        self.kind().get(id).await
    }

    /// One page of hosts, by id. One that cannot be decoded is an error in its place.
    pub async fn list(&self, page: Page) -> Result<Listed<Result<Stored<Host>>>> {
        self.kind().list(&Query { page, ..self.kind().query()? }).await
    }

    /// Registers a host. `Exists` if there is one of this id, or another is called so, naming it.
    pub async fn register(&self, id: &str, host: Host) -> Result<Stored<Host>> {
        // Too long an id is found out now, and not when a command is to run there.
        claim_key(id)?;
        let keys = [self.kind().key(id)?];
        let attempt = || async {
            let mut draft = self.writer.draft();
            draft.create(id, &host)?;
            self.take_name(&mut draft, id, &host.hostname).await?;
            let message = format!("host {} is registered", host.hostname);
            draft.report(&self.event(id, EventLevel::Info, "host:register", message)?)?;
            Ok((Some(draft), ()))
        };
        self.writer.write(&keys, attempt).await?;
        self.get(id).await
    }

    /// Gives a host another name. `Exists` if another host is called so, naming it.
    pub async fn rename(&self, id: &str, hostname: &str) -> Result<Stored<Host>> {
        self.change(id, |host| async move {
            if host.hostname == hostname {
                return Ok(None);
            }
            let mut draft = self.writer.draft();
            let next = Host { hostname: hostname.to_owned(), ..(*host).clone() };
            draft.replace(&host, &next)?;
            self.give_name_back(&mut draft, &host).await?;
            self.take_name(&mut draft, host.id(), hostname).await?;
            let message = format!("host {} is called {hostname} now", host.hostname);
            draft.report(&self.event(host.id(), EventLevel::Info, "host:rename", message)?)?;
            Ok(Some((draft, next)))
        })
        .await
    }

    /// Changes what is known of a host. `Invalid` if its name or its status is changed: there are
    /// operations for that. The closure may run several times.
    pub async fn update(
        &self,
        id: &str,
        change: impl Fn(&mut Host) -> Result<()> + Send + Sync,
    ) -> Result<Stored<Host>> {
        let change = &change;
        self.change(id, |host| async move {
            let mut next = (*host).clone();
            change(&mut next)?;
            if next.hostname != host.hostname || next.status != host.status {
                return Err(Error::invalid(format!(
                    "an update of {} cannot change its name or its status",
                    host.key
                )));
            }
            let mut draft = self.writer.draft();
            draft.replace(&host, &next)?;
            Ok(Some((draft, next)))
        })
        .await
    }

    /// Removes a host, and cancels what is queued for it. `Exists` with
    /// [`HostBusy`](super::HostBusy) as its source while a command runs on it. One may be
    /// registered again under its id; it goes on counting versions.
    ///
    /// If the future is dropped, the host is removed or not; what is left in its queue is cancelled
    /// by the dispatcher, or when it expires.
    pub async fn remove(&self, id: &str) -> Result<()> {
        let keys = [self.kind().key(id)?];
        let attempt = || async {
            let host = self.get(id).await?;
            let mut draft = self.writer.draft();
            draft.delete(&host);
            keep_free(&self.writer.store, &mut draft, id).await?;
            self.give_name_back(&mut draft, &host).await?;
            let message = format!("host {} is removed", host.hostname);
            draft.report(&self.event(id, EventLevel::Info, "host:remove", message)?)?;
            Ok((Some(draft), ()))
        };
        let removed = self.writer.write(&keys, attempt).await;
        or_busy(&self.writer.store, id, removed).await?;
        self.cancel_queue(id).await
    }

    /// Cancels what waits for a host that is there no more.
    pub(super) async fn cancel_queue(&self, id: &str) -> Result<()> {
        let commands = Commands::new(self.writer.clone());
        let gone = Refusal::new("host_removed", "its host was removed");
        while let Some(queued) = commands.first_queued(id).await? {
            let cancelled =
                |_: &_| Settlement::refused(outlast_core::CommandStatus::Cancelled, &gone);
            match commands.settle(queued.id(), cancelled).await {
                // Somebody else was faster, and it is not in the queue any more.
                Err(error) if error.kind() == ErrorKind::IllegalTransition => {}
                settled => drop(settled?),
            }
        }
        Ok(())
    }

    /// Reads a host, decides, and writes it; anew if it changed meanwhile.
    pub(super) async fn change<F>(
        &self,
        id: &str,
        decide: impl Fn(Stored<Host>) -> F + Send + Sync,
    ) -> Result<Stored<Host>>
    where
        F: Future<Output = Result<Option<(Draft, Host)>>> + Send,
    {
        let keys = [self.kind().key(id)?];
        let attempt = || async {
            let host = self.get(id).await?;
            Ok(match decide(host.clone()).await? {
                Some((draft, next)) => (Some(draft), (host, Some(next))),
                None => (None, (host, None)),
            })
        };
        let (receipt, (host, next)) = self.writer.write(&keys, attempt).await?;
        match (receipt, next) {
            (Some(receipt), Some(next)) => {
                host.advanced(next, written(&receipt, &host.key)?, receipt.at)
            }
            _ => Ok(host),
        }
    }

    async fn take_name(&self, draft: &mut Draft, id: &str, hostname: &str) -> Result<()> {
        let name = format!("hostname/{hostname}");
        if let Some(claim) = self.writer.store.kind::<Claim>().find(&name).await? {
            return Err(Error::new(
                ErrorKind::Exists,
                format!("host/{} is called {hostname:?} already", claim.holder),
            ));
        }
        let claim = Claim { holder: id.to_owned(), claimed_at: self.writer.now() };
        draft.create(&name, &claim).map(drop)
    }

    async fn give_name_back(&self, draft: &mut Draft, host: &Stored<Host>) -> Result<()> {
        let name = format!("hostname/{}", host.hostname);
        let claim = self.writer.store.kind::<Claim>().find(&name).await?;
        if let Some(claim) = claim.filter(|claim| claim.holder == host.id()) {
            draft.delete(&claim);
        }
        Ok(())
    }

    pub(super) fn event(
        &self,
        id: &str,
        level: EventLevel,
        action: &str,
        message: String,
    ) -> Result<Event> {
        let category = match self.writer.cause.actor {
            Some(Actor::User(_)) => EventCategory::Audit,
            _ => EventCategory::System,
        };
        let mut event = Event::new(category, level, message).on(id).called(action);
        event.actor.clone_from(&self.writer.cause.actor);
        Ok(event.about(self.kind().key(id)?))
    }
}
