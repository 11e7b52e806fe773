//! Which commands there are.

use outlast_core::{
    AttrName, AttrValue, Command, CommandStatus, Filter, Listed, Page, Query, Result, Status, Test,
};
use outlast_store::Stored;

use super::commands::Commands;

/// How many that wait are read at once to find the first that can be.
const QUEUE_PAGE: u32 = 4;

/// One page of commands each, the newest first unless said otherwise. One that cannot be decoded
/// is an error in its place. `Invalid` or `TooLarge` for a page that breaks a rule.
impl Commands {
    /// All of them.
    pub async fn list(&self, page: Page) -> Result<Listed<Result<Stored<Command>>>> {
        self.newest(Vec::new(), page).await
    }

    /// Those of a host.
    pub async fn of_host(
        &self,
        host_id: &str,
        page: Page,
    ) -> Result<Listed<Result<Stored<Command>>>> {
        self.newest(vec![Filter::is(AttrName::new("host")?, host_id)], page).await
    }

    /// Those of a pipeline.
    pub async fn of_pipeline(
        &self,
        pipeline_id: &str,
        page: Page,
    ) -> Result<Listed<Result<Stored<Command>>>> {
        self.newest(vec![Filter::is(AttrName::group(), pipeline_id)], page).await
    }

    /// Those that are not settled, of any host.
    pub async fn pending(&self, page: Page) -> Result<Listed<Result<Stored<Command>>>> {
        self.newest(vec![unsettled()], page).await
    }

    /// Those that are not settled, of one host.
    pub async fn pending_on(
        &self,
        host_id: &str,
        page: Page,
    ) -> Result<Listed<Result<Stored<Command>>>> {
        let host = Filter::is(AttrName::new("host")?, host_id);
        self.newest(vec![host, unsettled()], page).await
    }

    /// Those whose orchestrator ended while they were under way, and that nobody reconciled.
    pub async fn orphans(&self, page: Page) -> Result<Listed<Result<Stored<Command>>>> {
        self.newest(vec![in_state(CommandStatus::Orphaned)], page).await
    }

    /// Those that wait for a host, the one that waits longest first.
    pub async fn queued_on(
        &self,
        host_id: &str,
        page: Page,
    ) -> Result<Listed<Result<Stored<Command>>>> {
        let host = Filter::is(AttrName::new("host")?, host_id);
        let filters = vec![host, in_state(CommandStatus::Queued)];
        // Ids grow.
        self.kind().list(&Query { filters, page, ..self.kind().query()? }).await
    }

    /// The command that waits longest for a host. One that cannot be read is passed over.
    pub(super) async fn first_queued(&self, host_id: &str) -> Result<Option<Stored<Command>>> {
        let mut page = Page::first(QUEUE_PAGE);
        loop {
            let listed = self.queued_on(host_id, page.clone()).await?;
            for command in listed.items {
                match command {
                    Err(error) if error.is_of_one_record() => {}
                    command => return command.map(Some),
                }
            }
            match listed.next {
                Some(next) => page = page.after(next),
                None => return Ok(None),
            }
        }
    }

    async fn newest(
        &self,
        filters: Vec<Filter>,
        page: Page,
    ) -> Result<Listed<Result<Stored<Command>>>> {
        let query = Query { filters, page, descending: true, ..self.kind().query()? };
        self.kind().list(&query).await
    }
}

pub(super) fn in_state(status: CommandStatus) -> Filter {
    Filter::is(AttrName::status(), status.as_str())
}

fn unsettled() -> Filter {
    let open = CommandStatus::ALL.iter().filter(|status| !status.is_settled());
    let values = open.map(|status| AttrValue::from(status.as_str())).collect();
    Filter { name: AttrName::status(), test: Test::AnyOf(values) }
}
