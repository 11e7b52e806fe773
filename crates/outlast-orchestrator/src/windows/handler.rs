//! Who windows are handed to.

use async_trait::async_trait;
use outlast_core::{Artifact, FlushReason, Result, Timestamp};
use outlast_store::Stored;

/// Takes what was put together. It is called again with the same dispatch id until it says that it
/// is done, at most as often as the options say: also after a crash, and also if it was done but
/// the crash came before that was recorded. So it should do the work of one dispatch id once.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Does the work, or says why it could not be done. What it returns is recorded before
    /// anything else happens to the window; a panic counts as an error.
    ///
    /// May be dropped while it waits, when the engine is stopped; it is then called again later.
    async fn deliver(&self, delivery: Delivery) -> Result<()>;
}

/// One hand-over of a complete join or of a batch.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id, the same at each try.
    pub dispatch_id: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The window.
    pub window_id: String,
    /// The agent.
    pub agent_name: String,
    /// Its subscription.
    pub subscription: String,
    /// The key that what was joined has in common, as canonical JSON.
    pub correlation_key: Option<String>,
    /// Why, for a batch.
    pub reason: Option<FlushReason>,
    /// What it is about. Of a join without a batch there is one group, with its artifacts by type
    /// in the order of declaration and then by arrival; of a batch one group for each item, in the
    /// order of arrival.
    pub groups: Vec<Vec<Stored<Artifact>>>,
    /// When it was handed over for the first time.
    pub dispatched_at: Timestamp,
}

impl Delivery {
    /// All artifacts, in order.
    pub fn artifacts(&self) -> impl Iterator<Item = &Stored<Artifact>> {
        self.groups.iter().flatten()
    }

    /// Whether it is a batch.
    pub fn is_batch(&self) -> bool {
        self.reason.is_some()
    }
}
