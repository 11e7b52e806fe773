//! How the database is reached, again and again.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use outlast_core::{Backend, Error, Result};

/// Opens the database of a migration, and opens it again after it was away.
#[async_trait]
pub trait Connect: Debug + Send + Sync + 'static {
    /// Opens it. What was opened before was closed, or is of no use any more.
    async fn connect(&self) -> Result<Arc<dyn Backend>>;

    /// Where it is, without secrets.
    fn location(&self) -> String;
}

/// A backend that is open already and is never opened again: for tests, and for stores that mend
/// themselves.
#[derive(Clone, Debug)]
pub struct Fixed(pub Arc<dyn Backend>);

#[async_trait]
impl Connect for Fixed {
    async fn connect(&self) -> Result<Arc<dyn Backend>> {
        // A backend that was closed says so here.
        self.0.kinds().await.map(drop).map_err(|cause| {
            let message = format!("{} cannot be used: {cause}", self.location());
            Error::unavailable(message).with_source(cause)
        })?;
        Ok(self.0.clone())
    }

    fn location(&self) -> String {
        let info = self.0.info();
        format!("{}:{}", info.name, info.location)
    }
}
