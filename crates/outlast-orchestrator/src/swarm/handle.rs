//! One swarm, agent or session, to be told what to do.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use outlast_core::{
    Agent, Cause, Entity, Error, Event, Listed, Page, Receipt, Result, Session, Swarm, Timestamp,
    Version,
};
use outlast_store::{Draft, Past, Stored, Watch};

use super::Orchestra;

/// A swarm, to be told what to do.
pub type SwarmHandle = Handle<Swarm>;
/// An agent, to be told what to do.
pub type AgentHandle = Handle<Agent>;
/// A session, to be told what to do.
pub type SessionHandle = Handle<Session>;

/// One entity, to be told what to do. Cheap to clone; it holds no state of the entity.
///
/// Every operation reads the entity, decides, and commits what it decided, with what it changes
/// elsewhere and the event that tells of it, as one. It answers with the entity as it is then.
///
/// # Errors of every operation
///
/// - `NotFound` if the entity does not live.
/// - `IllegalTransition`, naming the present state and the one asked for, if the operation is not
///   for that state. Nothing was changed.
/// - `Conflict` if the entity is not [`at`](Handle::at) the version the caller named. Without one,
///   a change that came in between is no error: the operation decides again, as often as the
///   store's [`Retry`](outlast_store::Retry) says, and then fails with `RetriesExhausted`.
/// - Those of [`Store::commit`](outlast_store::Store::commit). After `Indeterminate` the operation
///   has happened or not: read the entity.
///
/// # Cancel safety
///
/// An operation whose future is dropped has happened whole or not at all, except where it says
/// that it takes two commits.
pub struct Handle<T> {
    pub(super) orchestra: Orchestra,
    pub(super) id: Arc<str>,
    expected: Option<Version>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        let (orchestra, id) = (self.orchestra.clone(), self.id.clone());
        Self { orchestra, id, expected: self.expected, kind: PhantomData }
    }
}

impl<T: Entity> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", T::KIND, self.id)
    }
}

impl<T: Entity> Handle<T> {
    pub(super) fn new(orchestra: Orchestra, id: Arc<str>) -> Self {
        Self { orchestra, id, expected: None, kind: PhantomData }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same, whose next operation is refused with `Conflict` unless the entity is at just
    /// this version.
    pub fn at(&self, version: Version) -> Self {
        Self { expected: Some(version), ..self.clone() }
    }

    /// The same, with changes made by and for somebody.
    pub fn with_cause(&self, cause: Cause) -> Self {
        Self { orchestra: self.orchestra.with_cause(cause), ..self.clone() }
    }

    /// The entity as it is now.
    pub async fn get(&self) -> Result<Stored<T>> {
        self.orchestra.store().kind::<T>().get(&self.id).await
    }

    /// One page of its versions, the newest first.
    pub async fn history(&self, page: Page) -> Result<Listed<Result<Past<T>>>> {
        self.orchestra.store().kind::<T>().history(&self.id, page).await
    }

    /// Follows it: first as it is, then each later state of it.
    pub fn watch(&self) -> Result<Watch<T>> {
        self.orchestra.store().kind::<T>().watch(&self.id)
    }

    /// `Conflict` unless it is at the version the caller named, if any was named and the store's
    /// locking is on.
    pub(super) fn check_version(&self, stored: &Stored<T>) -> Result<()> {
        self.orchestra.store().check_version(stored, self.expected)
    }

    /// Reads the entity, decides and commits; `None` leaves it as it is.
    pub(super) async fn change(
        &self,
        decide: impl Fn(&Stored<T>, Timestamp) -> Result<Option<Step<T>>>,
    ) -> Result<Stored<T>> {
        let (store, decide) = (self.orchestra.store(), &decide);
        let key = store.kind::<T>().key(&self.id)?;
        let attempt = || async move {
            let (mut draft, stored) = (self.orchestra.draft(), self.get().await?);
            self.check_version(&stored)?;
            let Some(step) = decide(&stored, self.orchestra.now())? else {
                return Ok((draft, Answer::Stays(stored)));
            };
            draft.replace(&stored, &step.next)?;
            report(&mut draft, &step.events)?;
            Ok((draft, Answer::Becomes(stored, step.next)))
        };
        let (receipt, answer) = store.commit_with(&[key], attempt).await?;
        answer.settle(receipt)
    }
}

/// What an operation makes of an entity, and what is to be told about it.
#[derive(Debug)]
pub(super) struct Step<T> {
    pub(super) next: T,
    pub(super) events: Vec<Event>,
}

impl<T> Step<T> {
    /// A step that nobody is told of.
    pub(super) fn quiet(next: T) -> Self {
        Self { next, events: Vec::new() }
    }
}

/// What an attempt came to.
pub(super) enum Answer<T> {
    Stays(Stored<T>),
    Becomes(Stored<T>, T),
}

impl<T: Entity> Answer<T> {
    /// The entity as it is once the attempt was committed.
    pub(super) fn settle(self, receipt: Option<Receipt>) -> Result<Stored<T>> {
        match (self, receipt) {
            (Self::Stays(stored), _) => Ok(stored),
            (Self::Becomes(stored, next), Some(receipt)) => advance(&stored, next, &receipt),
            (Self::Becomes(stored, _), None) => {
                Err(Error::internal(format!("{} was changed without a commit", stored.key)))
            }
        }
    }
}

/// What is stored once a commit made `next` of it.
pub(super) fn advance<T: Entity>(
    stored: &Stored<T>,
    next: T,
    receipt: &Receipt,
) -> Result<Stored<T>> {
    let version = receipt.version(&stored.key).ok_or_else(|| {
        Error::internal(format!("the receipt of {} lacks {}", receipt.id, stored.key))
    })?;
    stored.advanced(next, version, receipt.at)
}

pub(super) fn report(draft: &mut Draft, events: &[Event]) -> Result<()> {
    events.iter().try_for_each(|event| draft.report(event).map(drop))
}
