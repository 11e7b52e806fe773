//! The one way the fleet writes: under the right to drive the store where there is one.

use std::future::Future;

use outlast_core::{Cause, Error, ErrorKind, Key, Receipt, Result, Timestamp, Version};
use outlast_store::{Draft, Store};

#[cfg(feature = "process")]
use crate::Instance;

/// How often somebody else may be faster before that is an error.
const TRIES: u32 = 8;

/// A store, on whose behalf it is written to, and under which right.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) cause: Cause,
    #[cfg(feature = "process")]
    instance: Option<Instance>,
}

impl Writer {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            store: store.comparing(),
            cause: store.cause().clone(),
            #[cfg(feature = "process")]
            instance: None,
        }
    }

    #[cfg(feature = "process")]
    pub(super) fn driven_by(instance: &Instance) -> Self {
        Self { instance: Some(instance.clone()), ..Self::new(instance.store()) }
    }

    pub(super) fn with_cause(&self, cause: Cause) -> Self {
        Self { cause, ..self.clone() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    pub(super) fn draft(&self) -> Draft {
        #[cfg(feature = "process")]
        if let Some(instance) = &self.instance {
            return instance.draft(self.cause.clone());
        }
        let mut draft = self.store.draft();
        draft.cause(self.cause.clone());
        draft
    }

    /// Reads, decides and commits, as one: anew when what was read changed meanwhile. Without a
    /// draft nothing is committed. Writers of one key queue within this process.
    ///
    /// A lost race is told from a lost right, which is `Fenced` at once.
    pub(super) async fn write<T, F>(
        &self,
        keys: &[Key],
        decide: impl Fn() -> F,
    ) -> Result<(Option<Receipt>, T)>
    where
        F: Future<Output = Result<(Option<Draft>, T)>>,
    {
        let turn = || async {
            let (draft, answer) = decide().await?;
            let written = match draft {
                Some(mut draft) => self.commit(draft.compare()?).await.map(Some),
                None => Ok(None),
            };
            // It was committed here, so there is nothing left to commit there.
            match written {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    Ok((self.store.draft(), Err(error)))
                }
                written => Ok((self.store.draft(), Ok((written?, answer)))),
            }
        };
        let mut tries = 1;
        loop {
            // On the heap, for it is large and part of everything the fleet does.
            match Box::pin(self.store.commit_with(keys, turn)).await?.1 {
                Err(_) if tries < TRIES => tries += 1,
                Err(error) => {
                    let message =
                        format!("each of {tries} tries met a conflict; the last: {error}");
                    return Err(Error::new(ErrorKind::RetriesExhausted, message).with_source(error));
                }
                done => return done,
            }
        }
    }

    async fn commit(&self, draft: &Draft) -> Result<Receipt> {
        #[cfg(feature = "process")]
        if let Some(instance) = &self.instance {
            return instance.commit(draft).await;
        }
        draft.commit().await
    }
}

/// The version a commit gave an entity it wrote.
pub(super) fn written(receipt: &Receipt, key: &Key) -> Result<Version> {
    receipt
        .version(key)
        .ok_or_else(|| Error::internal(format!("the receipt of {} lacks {key}", receipt.id)))
}
