//! Handing over: the handler is called, and what it says is recorded.
//!
//! The number of a try is recorded before the try is made: the first with the end of the window,
//! later ones with the failure of the one before. Where a crash left it open whether a recorded
//! try was made, it is taken for made, and the next one is recorded first.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use outlast_core::{
    Artifact, Dispatch, Entity, Error, Key, Result, Timestamp, Window, WindowItem, WindowKind,
    WindowStatus,
};
use outlast_store::Stored;

use super::engine::Engine;
use super::handler::Delivery;
use super::queue::{Doubt, Pending};
use crate::telemetry;

/// How many artifacts are read at once.
const AT_ONCE: usize = 500;

/// A window that was taken out of the queue. It goes back unless something became of it.
struct Taken<'a> {
    engine: &'a Engine,
    window: Arc<str>,
    /// When it is to be handed over again, if this goes no further.
    again: Option<(Timestamp, Doubt)>,
}

impl<'a> Taken<'a> {
    fn new(engine: &'a Engine, pending: Pending) -> Self {
        // It may have been handed over by then. The store may need a moment.
        let at = engine.now().plus(engine.options.retry_delay);
        let again = Some((at, pending.doubt.max(Doubt::Tried)));
        Self { engine, window: pending.window, again }
    }

    /// Something became of it: nothing is left to do, or to be done again from this moment on.
    fn done(mut self, again: Option<Timestamp>) {
        self.again = again.map(|at| (at, Doubt::None));
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.engine.queue.finish(&self.window, self.again) {
            self.engine.load.release(1);
        }
    }
}

impl Engine {
    /// Hands over what is due until nothing is, at most so many at once as the options say. Says
    /// when the next is due. An error is the store's; the others are handed over all the same.
    pub(super) async fn dispatch_due(&self) -> Result<Option<Timestamp>> {
        let mut under_way = FuturesUnordered::new();
        let mut failure = None;
        loop {
            while under_way.len() < self.options.most_dispatches.max(1)
                && failure.is_none()
                && let Some(pending) = self.queue.pop(self.now())
            {
                under_way.push(self.hand_over(pending));
            }
            match under_way.next().await {
                Some(Ok(())) => {}
                Some(Err(error)) => failure = Some(error),
                None => break,
            }
        }
        failure.map_or_else(|| Ok(self.queue.first()), Err)
    }

    /// Hands one window over. Dropped, it goes back into the queue.
    pub(super) async fn hand_over(&self, pending: Pending) -> Result<()> {
        let doubt = pending.doubt;
        let taken = Taken::new(self, pending);
        if doubt == Doubt::Written {
            // The commit that it was put here for may still be on its way.
            self.settle().await?;
        }
        let found = self.store().kind::<Window>().find(&taken.window).await?;
        let Some(mut window) = found.filter(|window| window.status == WindowStatus::Dispatching)
        else {
            taken.done(None);
            return Ok(());
        };
        if doubt != Doubt::None && self.may_have_begun(&window) {
            let Some(next) = self.record_cut_off(&window).await? else {
                taken.done(None);
                return Ok(());
            };
            window = next;
        }
        let again = match self.delivery(&window).await {
            Ok(Ok(delivery)) => self.deliver(&window, delivery).await?,
            Ok(Err(why)) => self.give_up(&window, &why).await.map(|()| None)?,
            Err(error) if error.is_of_one_record() => self.record_failure(&window, &error).await?,
            Err(error) => return Err(error),
        };
        taken.done(again);
        Ok(())
    }

    /// Calls the handler and records what it says. Says when to try again, if so.
    async fn deliver(
        &self,
        window: &Stored<Window>,
        delivery: Delivery,
    ) -> Result<Option<Timestamp>> {
        metrics::counter!(telemetry::WINDOW_DISPATCHES).increment(1);
        tracing::debug!(dispatch = %delivery.dispatch_id, attempt = delivery.attempt, "handed over");
        let artifacts: Vec<Stored<Artifact>> = delivery.artifacts().cloned().collect();
        match self.call(delivery).await {
            Ok(()) => self.acknowledge(window, &artifacts).await.map(|()| None),
            Err(error) => self.record_failure(window, &error).await,
        }
    }

    /// Whether the recorded try may have been made: it was not still to come.
    fn may_have_begun(&self, window: &Stored<Window>) -> bool {
        let next = window.dispatch.as_ref().and_then(|dispatch| dispatch.next_attempt_at);
        next.is_none_or(|next| next <= self.now())
    }

    async fn call(&self, delivery: Delivery) -> Result<()> {
        let id = delivery.dispatch_id.clone();
        let called = AssertUnwindSafe(self.handler.deliver(delivery)).catch_unwind().await;
        called.unwrap_or_else(|_| {
            Err(Error::internal(format!("the handler panicked over dispatch {id}")))
        })
    }

    /// What is handed over. The inner error says why it cannot be.
    async fn delivery(&self, window: &Stored<Window>) -> Result<Result<Delivery, String>> {
        let Some(dispatch) = window.dispatch.clone() else {
            return Ok(Err("it has no dispatch id".to_owned()));
        };
        let mut items = self.items(&[window.id()]).await?;
        let is_join = window.operation == WindowKind::Join;
        let rank = |item: &WindowItem| window.types.iter().position(|name| *name == item.type_name);
        items.sort_by_key(|item| (if is_join { rank(item) } else { None }, item.place));
        let ids: Vec<&str> =
            items.iter().flat_map(|item| item.artifact_ids.iter().map(String::as_str)).collect();
        let found = self.artifacts(&ids).await?;
        let mut groups = Vec::new();
        for item in &items {
            let group = item.artifact_ids.iter().map(|id| found.get(id.as_str()).cloned());
            groups.extend(group.collect::<Option<Vec<Stored<Artifact>>>>());
        }
        let missing = items.len() - groups.len();
        if groups.is_empty() || (is_join && missing > 0) {
            return Ok(Err(format!("of its {} items {missing} cannot be found", items.len())));
        }
        if missing > 0 {
            let window = &window.key;
            tracing::warn!(%window, missing, "items of a batch cannot be found; the others go on");
        }
        if is_join {
            groups = vec![groups.into_iter().flatten().collect()];
        }
        let Dispatch { id: dispatch_id, attempts, reason, dispatched_at, .. } = dispatch;
        Ok(Ok(Delivery {
            dispatch_id,
            attempt: attempts,
            window_id: window.id().to_owned(),
            agent_name: window.agent_name.clone(),
            subscription: window.subscription.clone(),
            correlation_key: window.correlation_key.clone(),
            reason,
            groups,
            dispatched_at,
        }))
    }

    /// Those of the artifacts that are there.
    pub(super) async fn artifacts(
        &self,
        ids: &[&str],
    ) -> Result<HashMap<String, Stored<Artifact>>> {
        let mut found = HashMap::new();
        for ids in ids.chunks(AT_ONCE) {
            let keys: Vec<Key> =
                ids.iter().map(|id| Key::new(Artifact::KIND, *id)).collect::<Result<_>>()?;
            for slot in self.store().get(&keys).await? {
                if let Some(record) = slot.live()? {
                    let artifact: Stored<Artifact> = Stored::decode(record)?;
                    found.insert(artifact.id().to_owned(), artifact);
                }
            }
        }
        Ok(found)
    }
}
