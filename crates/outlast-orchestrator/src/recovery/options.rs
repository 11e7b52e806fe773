//! How recovery is carried out.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{Error, Result};

use super::report::Recovered;
use super::table::Table;

/// How recovery is carried out.
#[derive(Clone, Debug)]
pub struct RecoveryOptions {
    /// What is done about which state.
    pub table: Table,
    /// How long a process that survived its orchestrator may take to end when it is asked to.
    pub grace: Duration,
    /// Who is told of what was done.
    pub handlers: Handlers,
}

impl Default for RecoveryOptions {
    fn default() -> Self {
        let grace = Duration::from_secs(2);
        Self { table: Table::default(), grace, handlers: Handlers::default() }
    }
}

type Handler = Arc<dyn Fn(&Recovered) -> Result<()> + Send + Sync>;

/// Who is told of what was done about which kind: one for each.
#[derive(Clone, Default)]
pub struct Handlers(BTreeMap<&'static str, Handler>);

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Handlers {
    /// The same with somebody who is told of each entity of a kind, after what was done about it
    /// was committed. An error of his, or a panic, is reported and undoes nothing.
    ///
    /// He is told of what stays as it is too, each time, and is called on the runtime's thread: he
    /// should not block. `Invalid` for a kind that the table does not have.
    pub fn on(
        mut self,
        kind: &str,
        handler: impl Fn(&Recovered) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        self.0.insert(Table::default().kind(kind)?, Arc::new(handler));
        Ok(self)
    }

    pub(super) fn tell(&self, recovered: &Recovered) -> Result<()> {
        let Some(handler) = self.0.get(recovered.kind) else { return Ok(()) };
        let told = catch_unwind(AssertUnwindSafe(|| handler(recovered)));
        told.unwrap_or_else(|_| Err(Error::internal("it panicked")))
            .map_err(|error| error.context("the handler failed"))
    }
}
