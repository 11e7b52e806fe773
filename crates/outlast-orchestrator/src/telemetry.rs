//! The names under which the engines count what they do, for the recorder of the `metrics` crate
//! that the program around them installed. Names are stable; without a recorder, nothing is
//! counted and nothing is paid. What the store itself counts is named in
//! [`outlast_store::telemetry`], and here too.

pub use outlast_store::telemetry::*;

/// How far each `kind` has moved: 0 in memory to 5 for final.
pub const MIGRATION_PHASE: &str = "outlast_migration_phase";
/// The epoch of each `kind`.
pub const MIGRATION_EPOCH: &str = "outlast_migration_epoch";
/// Entities and streams whose copies in the database are behind.
pub const MIGRATION_DIRTY: &str = "outlast_migration_dirty_keys";
/// Since when the database has been away, in seconds; 0 while it answers.
pub const MIGRATION_LAG: &str = "outlast_migration_mirror_lag_seconds";
/// Commits that were acknowledged as volatile while their kind is to be durable.
pub const MIGRATION_VOLATILE: &str = "outlast_migration_volatile_acks_total";
/// Reads that were made again from the database, by their `result`.
pub const MIGRATION_SHADOW_READS: &str = "outlast_migration_shadow_reads_total";
/// Differences that were confirmed, by their `class`.
pub const MIGRATION_MISMATCHES: &str = "outlast_migration_mismatches_confirmed_total";
/// How long ago each `kind` was last compared whole and clean, in seconds.
pub const MIGRATION_DIFF_AGE: &str = "outlast_migration_last_clean_diff_age_seconds";
/// From the ledger's word to the change of the pointer.
pub const MIGRATION_FLIP: &str = "outlast_migration_flip_seconds";
/// Whether each `kind` could be rolled back at once.
pub const MIGRATION_ROLLBACK_READY: &str = "outlast_migration_rollback_ready";
/// Writes that were refused because another process took a kind over.
pub const MIGRATION_FENCED: &str = "outlast_migration_fenced_writes_total";
/// Entities and streams that lie under lineages set aside.
pub const MIGRATION_QUARANTINED: &str = "outlast_migration_quarantined_rows";
/// Starts that found ledger and sentinel to contradict each other.
pub const MIGRATION_LEDGER_CONFLICTS: &str = "outlast_migration_ledger_conflicts_total";
/// Versions and entries that never reached the database, and memory has no more.
pub const MIGRATION_GAPS: &str = "outlast_migration_history_gaps_total";

/// Commands that were settled, by their `status`.
pub const COMMANDS_SETTLED: &str = "outlast_commands_settled_total";
/// Hosts that were found to be silent for too long.
pub const HOSTS_LOST: &str = "outlast_hosts_lost_total";
/// Pipelines that were settled by whoever drove them, by their `status`.
pub const PIPELINES_SETTLED: &str = "outlast_pipelines_settled_total";
/// Recoveries that were carried out.
pub const RECOVERIES: &str = "outlast_recoveries_total";
/// Entities and entries that retention removed.
pub const RETENTION_REMOVED: &str = "outlast_retention_removed_total";
/// Ticks of retention that failed.
pub const RETENTION_FAILURES: &str = "outlast_retention_failures_total";
/// Agents that were escalated to their next model.
pub const AGENT_ESCALATIONS: &str = "outlast_agent_escalations_total";
/// Agents that were handed over to be tried again when their time had come.
pub const AGENT_RETRIES: &str = "outlast_agent_retries_total";

/// Artifacts that the windows engine refused because a bound was reached.
pub const WINDOWS_REFUSED: &str = "outlast_windows_refused_total";
/// Artifacts that a subscription left out because they have no key.
pub const WINDOWS_SKIPPED: &str = "outlast_windows_skipped_total";
/// Joins that were not complete in time.
pub const WINDOWS_EXPIRED: &str = "outlast_windows_expired_total";
/// Windows that were handed over, each try counted.
pub const WINDOW_DISPATCHES: &str = "outlast_window_dispatches_total";
/// Windows that were given up after too many tries.
pub const WINDOW_DEAD_LETTERS: &str = "outlast_window_dead_letters_total";
/// Failures to write what had been acknowledged with relaxed acknowledgement.
pub const WINDOW_LOSSES: &str = "outlast_window_losses_total";

/// Deltas that were read from the feed, once for all subscriptions.
pub const SYNC_DELTAS: &str = "outlast_sync_deltas_total";
/// Reads of the feed that failed; those that may succeed later are tried again.
pub const SYNC_FAILURES: &str = "outlast_sync_failures_total";
/// Subscriptions that follow at the moment.
pub const SYNC_FOLLOWERS: &str = "outlast_sync_followers";
/// Times a subscription had to begin anew.
pub const SYNC_RESYNCS: &str = "outlast_sync_resyncs_total";
/// Snapshots that were taken.
pub const SYNC_SNAPSHOTS: &str = "outlast_sync_snapshots_total";

/// Tasks that were settled by the engine, by their `status`.
pub const TASKS_SETTLED: &str = "outlast_tasks_settled_total";
