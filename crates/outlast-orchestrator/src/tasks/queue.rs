//! The tasks of a run that wait for their turn, read page by page.

use std::collections::VecDeque;

use outlast_core::{AttrName, Error, Filter, Page, Query, Result, Status, Task, TaskStatus};
use outlast_store::{Store, Stored};

use super::state::PAGE;

/// Waiting tasks in the order of their ids, which is that of the file.
#[derive(Debug)]
pub(super) struct Queue {
    store: Store,
    /// `None` once the last page was read.
    query: Option<Query>,
    read: VecDeque<Stored<Task>>,
    /// Records that could not be read and were passed over.
    pub(super) problems: Vec<Error>,
}

impl Queue {
    pub(super) fn of(store: &Store, run_id: &str) -> Result<Self> {
        let mut query = store
            .kind::<Task>()
            .query()?
            .filter(Filter::is(AttrName::group(), run_id))
            .filter(Filter::is(AttrName::status(), TaskStatus::Created.as_str()));
        query.page = Page::first(store.info().limits.page.min(PAGE));
        let (read, problems) = (VecDeque::new(), Vec::new());
        Ok(Self { store: store.clone(), query: Some(query), read, problems })
    }

    /// The next task; `None` when all were taken. Not cancel safe: a page may be lost.
    pub(super) async fn next(&mut self) -> Result<Option<Stored<Task>>> {
        while self.read.is_empty() {
            let Some(mut query) = self.query.take() else { return Ok(None) };
            let page = self.store.kind::<Task>().list(&query).await?;
            if let Some(next) = page.next {
                query.page = query.page.after(next);
                self.query = Some(query);
            }
            for task in page.items {
                match task {
                    Ok(task) => self.read.push_back(task),
                    Err(error) if error.is_of_one_record() => self.problems.push(error),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(self.read.pop_front())
    }
}
