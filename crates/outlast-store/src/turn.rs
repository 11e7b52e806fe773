//! Changing several entities by what they are now.

use std::future::Future;

use outlast_core::{ErrorKind, Key, Receipt, Result};

use crate::{Draft, Store};

impl Store {
    /// Reads, decides and commits, as one: `attempt` reads what it needs and returns a draft that
    /// expects what it read, and what to answer. If the entities changed meanwhile, it is made
    /// again, as often as the store's [`Retry`](crate::Retry) says; then `RetriesExhausted`.
    ///
    /// Attempts that name one of `keys` queue within this process, as closures of
    /// [`update`](crate::Collection::update) do: name what everybody changes. An empty draft
    /// commits nothing, and then there is no receipt. Errors of `attempt` pass through; its own
    /// `Conflict` counts as one of the commit.
    ///
    /// `attempt` must not itself wait for a turn on one of `keys`: it would wait for ever.
    ///
    /// Cancel safety: what was decided is committed whole or not at all.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use std::sync::Arc;
    /// # use outlast_store::{Store, StoreOptions};
    /// # use outlast_core::{Entity, NoStatus, RandomIds};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Debug, Serialize, Deserialize)]
    /// # struct Account { cents: i64 }
    /// # impl Entity for Account { type Status = NoStatus; const KIND: &'static str = "account"; }
    /// # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
    /// # let store = Store::open(backend, StoreOptions::default());
    /// let accounts = store.kind::<Account>();
    /// accounts.create("ann", &Account { cents: 100 }).await?;
    /// accounts.create("bob", &Account { cents: 0 }).await?;
    ///
    /// let keys = [accounts.key("ann")?, accounts.key("bob")?];
    /// let (_, moved) = store
    ///     .commit_with(&keys, || async {
    ///         let (ann, bob) = (accounts.get("ann").await?, accounts.get("bob").await?);
    ///         let moved = ann.cents / 2;
    ///         let mut draft = store.draft();
    ///         draft.replace(&ann, &Account { cents: ann.cents - moved })?;
    ///         draft.replace(&bob, &Account { cents: bob.cents + moved })?;
    ///         Ok((draft, moved))
    ///     })
    ///     .await?;
    /// assert_eq!((moved, accounts.get("bob").await?.cents), (50, 50));
    /// # Ok::<(), outlast_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn commit_with<T, F>(
        &self,
        keys: &[Key],
        mut attempt: impl FnMut() -> F,
    ) -> Result<(Option<Receipt>, T)>
    where
        F: Future<Output = Result<(Draft, T)>>,
    {
        let _turns = self.inner.locks.lock_all(keys).await;
        let mut tries = 0;
        loop {
            let error = match attempt().await {
                Ok((draft, answer)) if draft.is_empty() => return Ok((None, answer)),
                Ok((draft, answer)) => match draft.commit().await {
                    Ok(receipt) => return Ok((Some(receipt), answer)),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            if error.kind() != ErrorKind::Conflict {
                return Err(error);
            }
            self.inner.options.retry.pause(&mut tries, error).await?;
        }
    }
}
