//! The hosts of a fleet.

use outlast_core::{Claim, Event, EventCategory, EventLevel, Host, Result};
use outlast_store::{Collection, Stored};

use super::busy::claim_key;
use super::writer::Writer;

/// The hosts. Cheap to clone.
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

    /// Registers a host. `Exists` if there is one of this id, or another is called so.
    pub async fn register(&self, id: &str, host: Host) -> Result<Stored<Host>> {
        // Too long an id is found out now, and not when a command is to run there.
        claim_key(id)?;
        let claim = Claim { holder: id.to_owned(), claimed_at: host.created_at };
        let mut draft = self.writer.draft();
        draft.create(id, &host)?;
        draft.create(&format!("hostname/{}", host.hostname), &claim)?;
        let message = format!("host {} is registered", host.hostname);
        let event = Event::new(EventCategory::Audit, EventLevel::Info, message).on(id);
        draft.report(&event.called("host:register").about(self.kind().key(id)?))?;
        self.writer.commit(&draft).await?;
        self.get(id).await
    }
}
