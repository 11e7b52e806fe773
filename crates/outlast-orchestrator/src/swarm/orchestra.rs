//! Where everything here begins.

use std::sync::Arc;

use outlast_core::{Agent, Cause, Session, Swarm, Timestamp};
use outlast_store::{Draft, Store};
use tokio::sync::Notify;

use super::handle::{AgentHandle, Handle, SessionHandle, SwarmHandle};
use super::{Agents, Retries, Sessions, Swarms};

/// The swarms, agents and sessions of a store. Cheap to clone.
///
/// Any number of them, in any number of processes, may work on one store. Clones, and what they
/// give, share one thing besides: when one of them makes an agent due for a retry, the
/// [`Retries`] of all of them hear of it at once, while those of others look for it now and then.
#[derive(Clone, Debug)]
pub struct Orchestra {
    store: Store,
    cause: Cause,
    due: Arc<Notify>,
}

impl Orchestra {
    /// Those of this store, changed by whom the store names.
    pub fn new(store: &Store) -> Self {
        Self { store: store.comparing(), cause: store.cause().clone(), due: Arc::default() }
    }

    /// The same, with changes made by and for somebody.
    pub fn with_cause(&self, cause: Cause) -> Self {
        Self { cause, ..self.clone() }
    }

    /// All swarms.
    pub fn swarms(&self) -> Swarms {
        Swarms::new(self.clone())
    }

    /// All agents.
    pub fn agents(&self) -> Agents {
        Agents::new(self.clone())
    }

    /// All sessions.
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.clone())
    }

    /// The swarm of this id. Nothing is read, so it need not be there.
    pub fn swarm(&self, id: impl Into<Arc<str>>) -> SwarmHandle {
        Handle::<Swarm>::new(self.clone(), id.into())
    }

    /// The agent of this id. Nothing is read, so it need not be there.
    pub fn agent(&self, id: impl Into<Arc<str>>) -> AgentHandle {
        Handle::<Agent>::new(self.clone(), id.into())
    }

    /// The session of this id. Nothing is read, so it need not be there.
    pub fn session(&self, id: impl Into<Arc<str>>) -> SessionHandle {
        Handle::<Session>::new(self.clone(), id.into())
    }

    /// What tries agents again when their time has come.
    pub fn retries(&self) -> Retries {
        Retries::new(self.clone())
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Who causes the changes.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    pub(super) fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    pub(super) fn draft(&self) -> Draft {
        let mut draft = self.store.draft();
        draft.cause(self.cause.clone());
        draft
    }

    /// An id for what was given none.
    pub(super) fn id(&self, given: Option<String>) -> Arc<str> {
        given.unwrap_or_else(|| self.store.ids().uuid().to_string()).into()
    }

    /// An agent may be due earlier than was known.
    pub(super) fn hurry(&self) {
        self.due.notify_one();
    }

    /// Waits until one may be.
    pub(super) async fn hurried(&self) {
        self.due.notified().await;
    }
}
