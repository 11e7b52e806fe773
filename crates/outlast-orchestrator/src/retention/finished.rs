//! Whether a run is over, and since when.

use std::pin::pin;

use futures_util::StreamExt;
use outlast_core::{
    AttrName, AttrValue, Error, Filter, Page, Query, Result, Run, Status, Task, TaskStatus,
    Timestamp,
};
use outlast_store::{Store, Stored};

use super::prune::PAGE;

/// Whether a run may go.
pub(super) enum Verdict {
    /// It is not over, or not for long enough.
    Stays,
    /// All of it was over at the cutoff.
    Goes,
    /// It may be over, but something of it cannot be read.
    Unknown(Error),
}

/// All attempts at the tasks of a run.
pub(super) fn attempts(store: &Store, run_id: &str) -> Result<Query> {
    let query = store.kind::<Task>().query()?.filter(Filter::is(AttrName::group(), run_id));
    Ok(Query { page: Page::first(PAGE), ..query })
}

pub(super) async fn judge(store: &Store, run: &Stored<Run>, cutoff: Timestamp) -> Result<Verdict> {
    if run.created_at > cutoff || !is_finished(store, run).await? {
        return Ok(Verdict::Stays);
    }
    let tasks = store.kind::<Task>();
    let mut attempts = pin!(tasks.stream(attempts(store, run.id())?));
    while let Some(attempt) = attempts.next().await {
        match attempt {
            Ok(attempt) if is_over(&attempt, cutoff) => {}
            Ok(_) => return Ok(Verdict::Stays),
            Err(error) if error.is_of_one_record() => return Ok(Verdict::Unknown(error)),
            Err(error) => return Err(error),
        }
    }
    Ok(Verdict::Goes)
}

/// Whether all tasks are recorded, each by its first attempt, and every attempt is settled.
/// Counted in the index, before any task is read.
async fn is_finished(store: &Store, run: &Stored<Run>) -> Result<bool> {
    let all = attempts(store, run.id())?;
    let counts = store.count(&all, &[AttrName::status()]).await?;
    let is_settled = |group: &[Option<AttrValue>]| match group {
        [Some(AttrValue::Text(text))] => TaskStatus::parse(text).is_ok_and(Status::is_settled),
        _ => false,
    };
    if !counts.groups.iter().all(|(group, _)| is_settled(group)) {
        return Ok(false);
    }
    let first = all.filter(Filter::is(AttrName::new("attempt")?, 1));
    Ok(store.count(&first, &[]).await?.total >= run.task_count)
}

/// Whether an attempt was settled at the cutoff.
pub(super) fn is_over(attempt: &Stored<Task>, cutoff: Timestamp) -> bool {
    attempt.status.is_settled() && attempt.finished_at.unwrap_or(attempt.updated_at) <= cutoff
}
