//! Runs and their tasks, as the commands look them up.

use outlast::tasks::{RunState, Stats};
use outlast::{AttrName, Filter, Query, Result, Store, Task};

/// The tasks of a run, or of all, by id, which is in the order of the file and then of attempts.
pub(crate) fn tasks(store: &Store, run: Option<&str>) -> Result<Query> {
    let query = store.kind::<Task>().query()?;
    Ok(match run {
        Some(run) => query.filter(Filter::is(AttrName::group(), run)),
        None => query,
    })
}

/// What a run came to, judged by the newest attempt of each of its tasks: `completed`, `failed`,
/// `interrupted`, or `unfinished` while any is not settled or not even recorded.
pub(crate) fn outcome(state: &RunState) -> &'static str {
    match state.stats() {
        _ if !state.is_finished() => "unfinished",
        Stats { failed: 1.., .. } => "failed",
        Stats { interrupted: 1.., .. } => "interrupted",
        _ => "completed",
    }
}
