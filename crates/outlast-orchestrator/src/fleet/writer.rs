//! The one way the fleet writes: under the right to drive the store where there is one.

use outlast_core::{Cause, Error, Key, Receipt, Result, Timestamp, Version};
use outlast_store::{Draft, Store};

#[cfg(feature = "process")]
use crate::Instance;

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
            store: store.clone(),
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

    /// Commits such a draft. Made within an attempt of [`Store::commit_with`], a lost race is made
    /// good there, and a lost right is not.
    pub(super) async fn commit(&self, draft: &Draft) -> Result<Receipt> {
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
