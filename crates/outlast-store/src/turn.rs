//! Changing several entities by what they are now.

use std::future::Future;

use outlast_core::{Error, ErrorKind, Key, Mismatch, Receipt, Result, Version};

use crate::{Draft, Store, Stored};

impl Store {
    /// Reads, decides and commits, as one: `attempt` reads what it needs and returns a draft that
    /// expects what it read, and what to answer. If the entities changed meanwhile, it is made
    /// again, as often as the store's [`Retry`](crate::Retry) says; then `RetriesExhausted`.
    ///
    /// Attempts that name one of `keys` queue within this process, as closures of
    /// [`update`](crate::Collection::update) do: name what everybody changes. An empty draft
    /// commits nothing, and then there is no receipt. Errors of `attempt` pass through at once, a
    /// `Conflict` of its own included: what [`check_version`](Store::check_version) refuses is not
    /// tried again. The draft is committed with every version [compared](Draft::compare).
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
            let (mut draft, answer) = attempt().await?;
            if draft.is_empty() {
                return Ok((None, answer));
            }
            match draft.compare()?.commit().await {
                Ok(receipt) => return Ok((Some(receipt), answer)),
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    self.inner.options.retry.pause(&mut tries, error).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Compares the version a caller gave, if one was given, with what was just read: `Conflict`
    /// with both, unless they are the same or the store's
    /// [`locking`](crate::StoreOptions::locking) is off.
    ///
    /// Within the attempt of a [`commit_with`](Store::commit_with) that expects what was read,
    /// this makes a change that applies to just that version, and is not tried again if it is
    /// another: what every `at(version)` of the engines is made of.
    pub fn check_version<T>(&self, stored: &Stored<T>, given: Option<Version>) -> Result<()> {
        match given {
            Some(version) if version != stored.version && self.inner.options.locking => {
                let (expected, actual) = (Some(version), Some(stored.version));
                Err(Error::conflict(Mismatch { key: stored.key.clone(), expected, actual }))
            }
            _ => Ok(()),
        }
    }
}
