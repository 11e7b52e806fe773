//! The names people query by are promises: each column of each view is written out here.

use crate::house::House;
use crate::views::table;

const COLUMNS: [(&str, &str); 18] = [
    (
        "agent_states",
        "id status lifecycle_state version swarm_id session_id parent_id model fallback_models task \
         retry_count max_retries next_retry_at last_error created_at started_at completed_at \
         paused_at resumed_at runtime_ms metadata updated_at space",
    ),
    (
        "commands",
        "id host_id op pipeline_id status created_at started_at finished_at exit_code error \
         output_file code stage retryable warning_at timeout_at reconnect_by queued_until \
         kill_initiated_at kill_signal pid version updated_at space",
    ),
    (
        "current_states",
        "entity_type entity_id version epoch status updated_at revision attrs transient state space",
    ),
    (
        "event_log",
        "id timestamp category level actor host_id action message details subject_type subject_id \
         space",
    ),
    (
        "hosts",
        "id hostname host_type agent_version os_version nixpkgs_version generation last_seen status \
         pending_command comment theme_color metrics_json location device_type test_progress \
         repo_url repo_dir lock_status_json system_status_json tests_status_json tests_generation \
         lock_hash created_at updated_at version cwd facts space",
    ),
    ("lineages", "space"),
    ("log_fragments", "task_id seq stream at byte_offset data n_lines codec space"),
    (
        "logic_operation_state",
        "id agent_name subscription_index operation_type correlation_key created_at window_end \
         collected_types required_types items_collected items_target state_snapshot status version \
         subscription fingerprint artifact_ids collected_counts required_counts window_ms \
         window_count opened_at_seq deadline dispatch_id dispatch_attempts dispatch_reason \
         dispatched_at error completed_at updated_at space",
    ),
    (
        "pipelines",
        "id name hosts current_stage status created_at finished_at stages recovery error version \
         updated_at space",
    ),
    (
        "recovery_checkpoints",
        "id timestamp entity_type entity_id data reason entity_version schema space",
    ),
    (
        "session_states",
        "id status version session_tree_id swarm_id branch_name entry_count last_entry_id \
         created_at closed_at updated_at space",
    ),
    (
        "state_audit_log",
        "id timestamp entity_type entity_id action previous_state new_state triggered_by metadata \
         version epoch reason revision space",
    ),
    ("state_version", "id version incarnation"),
    ("state_versions", "entity_type entity_id version epoch deleted updated_at revision space"),
    (
        "swarm_states",
        "id status version name task strategy model initial_agents max_agents target_agents config \
         agents budget_allocated budget_consumed budget_remaining budget_currency \
         budget_warning_percent budget_critical_percent total_agents completed_agents failed_agents \
         killed_agents session_tree_id current_branch needs_reconcile error created_at completed_at \
         updated_at space",
    ),
    ("task_states", "task_id seq from_state to_state from to event at reason actor version space"),
    (
        "tasks",
        "id run_id name command cwd state created_at started_at finished_at pid \
         process_start_token exit_code error idle_threshold_ms attempt recovery_policy retry_of \
         owner_instance last_activity_at version space",
    ),
    ("window_items", "id window_id place seq artifact_ids type_name added_at state space"),
];

#[tokio::test]
async fn every_view_has_just_these_columns() {
    let house = House::new();
    house.open().await;
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name";
    let views: Vec<String> = table(&house, sql).await.into_iter().flatten().collect();
    let listed: Vec<&str> = COLUMNS.iter().map(|(view, _)| *view).collect();
    assert_eq!(views, listed);
    for (view, columns) in COLUMNS {
        let sql = format!("SELECT name FROM pragma_table_info('{view}') ORDER BY cid");
        let found: Vec<String> = table(&house, &sql).await.into_iter().flatten().collect();
        let listed: Vec<&str> = columns.split_whitespace().collect();
        assert_eq!(found, listed, "{view}");
    }
}
