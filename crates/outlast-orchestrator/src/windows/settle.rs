//! Ending windows because somebody wants it: by hand, with their agent, with the engine.

use std::sync::Arc;

use outlast_core::{
    Cause, Durability, Error, ErrorKind, FlushReason, Result, Window, WindowKind, WindowStatus,
};

use super::due::Demand;
use super::engine::Engine;
use super::options::AtShutdown;
use super::registered::Registered;
use super::retry::decided;
use super::step::Ending;
use super::turns::Slot;

/// Which subscriptions.
type Chosen<'a> = &'a (dyn Fn(&Registered) -> bool + Sync);

/// What became of open windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Joins that were called off.
    pub cancelled: u64,
    /// Batches that were handed over as they were.
    pub flushed: u64,
    /// Windows that are not handed over yet: they are when the engine goes on, after a restart if
    /// the store is durable.
    pub undelivered: u64,
}

impl Engine {
    /// Hands the batch of a subscription over as it is. Says whether there was one.
    pub(super) async fn flush(&self, subscription: &str, cause: Cause) -> Result<bool> {
        let slot = Slot::batch(self.declared(subscription)?);
        let ending = Ending::Dispatched(Some(FlushReason::Manual));
        let demand = Demand { cause, ending, window: None, is_due: false };
        decided(|| self.end(WindowKind::Batch, &slot, &demand)).await
    }

    /// Ends the windows of an agent, and lets nothing in any more.
    pub(super) async fn settle_agent(&self, agent_name: &str, cause: Cause) -> Result<Settled> {
        let of_agent = |one: &Registered| one.spec.agent_name == agent_name;
        let mut known = self.subscriptions.iter().filter(|one| of_agent(one)).peekable();
        if known.peek().is_none() {
            let message = format!("agent {agent_name} has declared no subscription here");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        known.for_each(|one| one.end());
        let ending = Ending::Cancelled("its agent was shut down".to_owned());
        let demand = Demand { cause: cause.clone(), ending, window: None, is_due: false };
        let cancelled = self.end_all(WindowKind::Join, &of_agent, &demand).await?;
        let flushed = self.flush_all(&of_agent, cause).await?;
        Ok(Settled { cancelled, flushed, undelivered: self.queue.len() as u64 })
    }

    /// Lets nothing in any more, and keeps or hands over what is open, as the options say.
    pub(super) async fn shut_down(&self, cause: Cause) -> Result<Settled> {
        self.shutdown.begin();
        let is_durable = self.store().info().durability == Durability::Durable;
        let flushes = match self.options.at_shutdown {
            AtShutdown::Suits => !is_durable,
            AtShutdown::Persist => false,
            AtShutdown::Flush => true,
        };
        let mut settled = Settled::default();
        if flushes {
            settled.flushed = self.flush_all(&|_| true, cause).await?;
            self.dispatch_due().await?;
        }
        self.settle().await?;
        settled.undelivered = self.queue.len() as u64;
        Ok(settled)
    }

    async fn flush_all(&self, of: Chosen<'_>, cause: Cause) -> Result<u64> {
        let ending = Ending::Dispatched(Some(FlushReason::Shutdown));
        let demand = Demand { cause, ending, window: None, is_due: false };
        self.end_all(WindowKind::Batch, of, &demand).await
    }

    /// Ends every open window of some subscriptions. Says how many.
    async fn end_all(
        &self,
        operation: WindowKind,
        of: Chosen<'_>,
        demand: &Demand<'_>,
    ) -> Result<u64> {
        let mut count = 0;
        for slot in self.slots(operation, of).await {
            count += u64::from(decided(|| self.end(operation, &slot, demand)).await?);
        }
        Ok(count)
    }

    /// Where windows of some subscriptions are open, or may be.
    async fn slots(&self, operation: WindowKind, of: Chosen<'_>) -> Vec<Slot> {
        let mut found = Vec::new();
        for stripe in self.stripes(operation).iter() {
            let cells = stripe.lock().await;
            let open = cells.slots().map(|(slot, _)| slot.clone()).chain(cells.doubtful());
            found.extend(open.filter(|slot| {
                self.subscriptions.get(slot.subscription).is_some_and(|one| of(one))
            }));
        }
        found
    }

    /// Calls a window off that waits or was set aside.
    pub(super) async fn cancel(&self, window_id: &str, why: &str, cause: Cause) -> Result<()> {
        let window = self.store().kind::<Window>().get(window_id).await?;
        match window.status {
            WindowStatus::Orphaned => {
                let next = Window {
                    status: WindowStatus::Cancelled,
                    finished_at: Some(self.now()),
                    error: Some(why.to_owned()),
                    ..(*window).clone()
                };
                let mut draft = self.instance.draft(cause);
                draft.replace(&window, &next)?;
                let message = format!("{} was called off: {why}", window.key);
                let event = super::repair::warning("window:cancelled", message);
                draft.report(&event.about(window.key.clone()))?;
                self.instance.commit(&draft).await.map(drop)
            }
            WindowStatus::Waiting => {
                let group = Window::group_of(&window.agent_name, &window.subscription);
                let slot = slot_of_row(self.declared(&group)?, &window);
                let ending = Ending::Cancelled(why.to_owned());
                let demand = Demand { cause, ending, window: Some(window_id), is_due: false };
                let ended = decided(|| self.end(window.operation, &slot, &demand)).await?;
                if ended { Ok(()) } else { Err(moved_on(&window, window_id)) }
            }
            _ => Err(moved_on(&window, window_id)),
        }
    }

    /// The subscription of this id, `NotFound` if it is not declared.
    pub(super) fn declared(&self, id: &str) -> Result<&Arc<Registered>> {
        self.subscription(id).ok_or_else(|| {
            let message = format!("subscription {id} is not declared in this process");
            Error::new(ErrorKind::NotFound, message)
        })
    }
}

fn moved_on(window: &Window, id: &str) -> Error {
    let status = outlast_core::Status::as_str(window.status);
    let message = format!("window/{id} does not wait: it was {status} when it was looked at");
    Error::new(ErrorKind::IllegalTransition, message)
}

/// Where the window of a row lies.
fn slot_of_row(subscription: &Registered, window: &Window) -> Slot {
    match window.operation {
        WindowKind::Join => {
            let key = window.correlation_key.as_deref().map(Into::into);
            Slot::join(subscription, key)
        }
        WindowKind::Batch => Slot::batch(subscription),
    }
}
