//! What the kinds have in common: how one entity is looked at, and what is said of it.

use std::future::Future;

use outlast_core::{
    Action, Actor, Cause, Claim, Entity, Error, Event, EventCategory, EventLevel, Key, Result,
    Timestamp,
};
use outlast_store::{Draft, Store, Stored};
use serde_json::Value;

use super::options::RecoveryOptions;
use super::policy::Policy;
use super::report::Outcome;
use crate::Instance;

/// A kind that recovery knows what to do about.
pub(super) trait Recoverable: Entity {
    /// What the table calls it.
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    /// Decides what is done about an entity just read. Nothing is written here, so it may be asked
    /// again; what must be over before the commit, as a process that survived, is ended here.
    fn settle(
        scene: &Scene<'_>,
        stored: &Stored<Self>,
        policy: Policy,
    ) -> impl Future<Output = Result<Verdict>> + Send;
}

/// Where recovery takes place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) store: &'a Store,
    /// The right to write; without it, recovery only looks.
    pub(super) instance: Option<&'a Instance>,
    pub(super) options: &'a RecoveryOptions,
}

/// What is to be done about an entity.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) write: Write,
    /// Whether nobody who exists will begin it.
    pub(super) is_orphan: bool,
    /// What is wrong about it besides.
    pub(super) problem: Option<String>,
}

/// What is written about it.
#[derive(Debug)]
pub(super) enum Write {
    /// Nothing.
    Nothing,
    /// It was written already.
    Done,
    /// This commit.
    Last(Box<Draft>),
    /// This commit, and then it is looked at again.
    First(Box<Draft>),
}

impl Verdict {
    /// Nothing is written.
    pub(super) fn left(outcome: Outcome) -> Self {
        Self { outcome, write: Write::Nothing, is_orphan: false, problem: None }
    }

    /// It was written.
    pub(super) fn done(outcome: Outcome) -> Self {
        Self { write: Write::Done, ..Self::left(outcome) }
    }

    /// The draft is committed.
    pub(super) fn change(outcome: Outcome, draft: Draft) -> Self {
        Self { write: Write::Last(Box::new(draft)), ..Self::left(outcome) }
    }

    /// The draft is committed, and then it is looked at again.
    pub(super) fn begin(outcome: Outcome, draft: Draft) -> Self {
        Self { write: Write::First(Box::new(draft)), ..Self::left(outcome) }
    }

    pub(super) fn with(self, problem: Option<String>) -> Self {
        Self { problem, ..self }
    }
}

impl Scene<'_> {
    pub(super) fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// A draft in which recovery changes something, under the right to drive the store.
    pub(super) fn draft(&self, reason: impl Into<String>) -> Draft {
        let cause = Cause::by(Actor::Recovery).called(Action::recovery()).because(reason);
        if let Some(instance) = self.instance {
            return instance.draft(cause);
        }
        let mut draft = self.store.comparing().draft();
        draft.cause(cause);
        draft
    }

    /// An entity that another one names. One that cannot be read is a problem, and does not keep
    /// the other from being recovered.
    pub(super) async fn linked<T: Entity>(&self, id: &str) -> Result<Linked<T>> {
        match self.store.kind::<T>().find(id).await {
            Ok(found) => Ok(Linked { found, problem: None }),
            Err(error) if error.is_of_one_record() => {
                Ok(Linked { found: None, problem: Some(error.to_string()) })
            }
            Err(error) => Err(error),
        }
    }

    /// Gives a name up in the draft, if it is `holder` who has it. What is wrong with the claim is
    /// answered.
    pub(super) async fn give_up(
        &self,
        draft: &mut Draft,
        claim: &str,
        holder: &str,
    ) -> Result<Option<String>> {
        let Linked { found, problem } = self.linked::<Claim>(claim).await?;
        if let Some(claim) = found.filter(|claim| claim.holder == holder) {
            draft.delete(&claim);
        }
        Ok(problem)
    }
}

/// What was found under a link.
#[derive(Debug)]
pub(super) struct Linked<T> {
    pub(super) found: Option<Stored<T>>,
    pub(super) problem: Option<String>,
}

/// The event that says what recovery did about an entity.
pub(super) fn told(subject: &Key, message: String, details: Value) -> Event {
    let event = Event::new(EventCategory::System, EventLevel::Warn, message);
    event.by(Actor::Recovery).called("recovery").about(subject.clone()).with(details)
}

/// A policy met a kind that it means nothing for, which the table refuses to say.
pub(super) fn meaningless(key: &Key, policy: Policy) -> Error {
    Error::internal(format!("recovery policy {policy} means nothing for {key}"))
}
