//! The names under which a store counts what it does, for the recorder of the `metrics` crate that
//! the program around it installed. Names are stable; without a recorder nothing is counted and
//! next to nothing is paid.
//!
//! Names that end in `_total` are counters; of the others it is said what they are.

/// Groups of commits that were written, each with one transaction.
pub const STORE_GROUPS: &str = "outlast_store_groups_total";
/// Commits that were applied.
pub const STORE_COMMITS: &str = "outlast_store_commits_total";
/// Commits that were refused because an expectation did not hold.
pub const STORE_CONFLICTS: &str = "outlast_store_conflicts_total";
/// Groups that were planned again because another process had committed first.
pub const STORE_RACES: &str = "outlast_store_races_total";
/// Closures that were applied again after a conflict.
pub const STORE_RETRIES: &str = "outlast_store_retries_total";
/// Reads for, and writes of, groups that failed.
pub const STORE_FAILURES: &str = "outlast_store_failures_total";
/// Requests that were turned away because there was no room in the queue in time.
pub const STORE_SHED: &str = "outlast_store_shed_total";
/// Batches handed in and not answered yet: a gauge, set with each group.
pub const STORE_QUEUE: &str = "outlast_store_queue";
/// The bytes that these weigh: a gauge, set with each group.
pub const STORE_QUEUE_BYTES: &str = "outlast_store_queue_bytes";
/// How many commits a group was made of: a histogram.
pub const STORE_GROUP_COMMITS: &str = "outlast_store_group_commits";
/// How many seconds it took to write a group: a histogram.
pub const STORE_GROUP_SECONDS: &str = "outlast_store_group_seconds";
