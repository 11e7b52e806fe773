-- The kinds of the domain as tables that people can query by name: times as RFC 3339 text in UTC,
-- statuses in lower case, and text that is damaged as NULL in its own row. What is not a column
-- of its own is in the JSON of state.

-- The lineages there is anything of, found by steps through the index on names.
CREATE VIEW lineages AS
WITH RECURSIVE step (space) AS (
    SELECT min(space) FROM entity
    UNION ALL
    SELECT (SELECT min(e.space) FROM entity e WHERE e.space > step.space)
    FROM step
    WHERE step.space IS NOT NULL
)
SELECT space FROM step WHERE space IS NOT NULL;

-- Every live entity of whatever kind. The views below are narrowed from it.
CREATE VIEW current_states AS
SELECT e.kind AS entity_type,
       e.id   AS entity_id,
       d.version,
       d.epoch,
       lower(CASE WHEN json_valid(h.attrs) THEN h.attrs ->> '$.status' END) AS status,
       strftime('%Y-%m-%dT%H:%M:%S', (d.updated_at - (d.updated_at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
           || printf('.%06dZ', (d.updated_at % 1000000 + 1000000) % 1000000) AS updated_at,
       d.seq >> 16 AS revision,
       CASE WHEN json_valid(h.attrs) THEN h.attrs ELSE '{}' END         AS attrs,
       CASE WHEN json_valid(d.transient) THEN d.transient ELSE '{}' END AS transient,
       CASE WHEN json_valid(h.state) THEN h.state ELSE '{}' END         AS state,
       e.space
FROM entity e
JOIN head d ON d.entity = e.no
JOIN history h ON h.seq = d.seq
WHERE d.live AND e.space IN (SELECT space FROM lineages);

-- agents: the ids of the swarm's agents, those that are over included.
CREATE VIEW swarm_states AS
SELECT s.entity_id AS id,
       s.status,
       s.version,
       s.state ->> '$.config.name'            AS name,
       s.state ->> '$.config.task'            AS task,
       s.state ->> '$.config.strategy'        AS strategy,
       s.state ->> '$.config.model'           AS model,
       s.state ->> '$.config.initial_agents'  AS initial_agents,
       s.state ->> '$.config.max_agents'      AS max_agents,
       s.state ->> '$.target_agents'          AS target_agents,
       s.state ->  '$.config'                 AS config,
       (SELECT json_group_array(a.id)
        FROM (SELECT n.id
              FROM attribute x
              JOIN entity n ON n.no = x.entity
              WHERE x.space = s.space AND x.kind = 'agent' AND x.name = 'group' AND x.value = s.entity_id
              ORDER BY n.id) a)               AS agents,
       s.state ->> '$.budget.allocated'       AS budget_allocated,
       s.state ->> '$.budget.consumed'        AS budget_consumed,
       max((s.state ->> '$.budget.allocated') - (s.state ->> '$.budget.consumed'), 0) AS budget_remaining,
       s.state ->> '$.budget.currency'        AS budget_currency,
       s.state ->> '$.budget.warning_percent' AS budget_warning_percent,
       s.state ->> '$.budget.critical_percent' AS budget_critical_percent,
       s.state ->> '$.metrics.total'          AS total_agents,
       s.state ->> '$.metrics.completed'      AS completed_agents,
       s.state ->> '$.metrics.failed'         AS failed_agents,
       s.state ->> '$.metrics.killed'         AS killed_agents,
       s.state ->> '$.session_tree_id'        AS session_tree_id,
       s.state ->> '$.current_branch'         AS current_branch,
       s.state ->> '$.needs_reconcile'        AS needs_reconcile,
       s.state ->> '$.error'                  AS error,
       s.state ->> '$.created_at'             AS created_at,
       s.state ->> '$.completed_at'           AS completed_at,
       s.updated_at,
       s.space
FROM current_states s
WHERE s.entity_type = 'swarm';

-- lifecycle_state: the status, with pending under the name that it has there.
CREATE VIEW agent_states AS
SELECT s.entity_id AS id,
       s.status,
       CASE s.status WHEN 'pending' THEN 'idle' ELSE s.status END AS lifecycle_state,
       s.version,
       s.state ->> '$.swarm_id'        AS swarm_id,
       s.state ->> '$.session_id'      AS session_id,
       s.state ->> '$.parent_id'       AS parent_id,
       s.state ->> '$.model'           AS model,
       s.state ->  '$.fallback_models' AS fallback_models,
       s.state ->> '$.task'            AS task,
       s.state ->> '$.retry_count'     AS retry_count,
       s.state ->> '$.max_retries'     AS max_retries,
       s.state ->> '$.next_retry_at'   AS next_retry_at,
       s.state ->> '$.last_error'      AS last_error,
       s.state ->> '$.created_at'      AS created_at,
       s.state ->> '$.started_at'      AS started_at,
       s.state ->> '$.completed_at'    AS completed_at,
       s.state ->> '$.paused_at'       AS paused_at,
       s.state ->> '$.resumed_at'      AS resumed_at,
       s.state ->> '$.runtime_ms'      AS runtime_ms,
       s.state ->  '$.metadata'        AS metadata,
       s.updated_at,
       s.space
FROM current_states s
WHERE s.entity_type = 'agent';

CREATE VIEW session_states AS
SELECT s.entity_id AS id,
       s.status,
       s.version,
       s.state ->> '$.session_tree_id' AS session_tree_id,
       s.state ->> '$.swarm_id'        AS swarm_id,
       s.state ->> '$.branch_name'     AS branch_name,
       s.state ->> '$.entry_count'     AS entry_count,
       s.state ->> '$.last_entry_id'   AS last_entry_id,
       s.state ->> '$.created_at'      AS created_at,
       s.state ->> '$.closed_at'       AS closed_at,
       s.updated_at,
       s.space
FROM current_states s
WHERE s.entity_type = 'session';

-- data: nothing where the kind's values are secret.
CREATE VIEW recovery_checkpoints AS
SELECT s.entity_id AS id,
       s.state ->> '$.created_at' AS timestamp,
       s.state ->> '$.of.kind'    AS entity_type,
       s.state ->> '$.of.id'      AS entity_id,
       CASE WHEN s.attrs ->> '$.redacted' OR s.state ->> '$.attrs.redacted' THEN NULL
            ELSE s.state -> '$.data' END AS data,
       s.state ->> '$.reason'     AS reason,
       s.state ->> '$.version.n'  AS entity_version,
       s.state ->> '$.schema'     AS schema,
       s.space
FROM current_states s
WHERE s.entity_type = 'checkpoint';

-- What windows hold, in the order of arrival.
CREATE VIEW window_items AS
SELECT i.id,
       i.window_id,
       i.state ->> '$.place'        AS place,
       i.state ->> '$.seq'          AS seq,
       i.state ->  '$.artifact_ids' AS artifact_ids,
       i.state ->> '$.type_name'    AS type_name,
       i.state ->> '$.added_at'     AS added_at,
       i.state,
       i.space
FROM (
    -- CROSS: the index of attributes comes first, so that one window is found without the others.
    SELECT e.id, x.value AS window_id, x.space,
           CASE WHEN json_valid(h.state) THEN h.state ELSE '{}' END AS state
    FROM attribute x
    CROSS JOIN entity e ON e.no = x.entity
    CROSS JOIN head d ON d.entity = e.no
    CROSS JOIN history h ON h.seq = d.seq
    WHERE x.space IN (SELECT space FROM lineages) AND x.kind = 'window_item' AND x.name = 'group'
) i;

-- collected_types and required_types are arrays of names; how many of each there are is in the
-- two counts. window_end is when time ends the window, deadline when time alone changes it next:
-- the same while it waits, the next try of a hand-over that failed.
--
-- state_snapshot is everything there is to go on from, put together when it is asked for:
--   format   1; raised when one of the following changes its meaning
--   id       the id of the window
--   version  its version
--   window   the window as it is stored
--   items    what it holds as it is stored, in the order of arrival
CREATE VIEW logic_operation_state AS
SELECT s.entity_id AS id,
       s.state ->> '$.agent_name'         AS agent_name,
       s.state ->> '$.subscription_index' AS subscription_index,
       s.state ->> '$.operation'          AS operation_type,
       s.state ->> '$.correlation_key'    AS correlation_key,
       s.state ->> '$.created_at'         AS created_at,
       s.state ->> '$.window_end'         AS window_end,
       (SELECT json_group_array(c.key)
        FROM (SELECT key FROM json_each(s.state, '$.collected') ORDER BY key) c) AS collected_types,
       CASE s.state ->> '$.operation' WHEN 'join' THEN
           (SELECT json_group_array(r.key)
            FROM (SELECT key FROM json_each(s.state, '$.required') ORDER BY key) r)
       END                                AS required_types,
       s.state ->> '$.items_collected'    AS items_collected,
       s.state ->> '$.items_target'       AS items_target,
       json_object(
           'format', 1,
           'id', s.entity_id,
           'version', s.version,
           'window', json(s.state),
           'items', json((SELECT json_group_array(json(i.state))
                          FROM (SELECT w.state
                                FROM window_items w
                                WHERE w.window_id = s.entity_id AND w.space = s.space
                                ORDER BY w.place) i))
       )                                  AS state_snapshot,
       s.status,
       s.version,
       s.state ->> '$.subscription'       AS subscription,
       s.state ->> '$.fingerprint'        AS fingerprint,
       (SELECT json_group_array(i.value)
        FROM (SELECT a.value
              FROM window_items w, json_each(w.artifact_ids) a
              WHERE w.window_id = s.entity_id AND w.space = s.space
              ORDER BY w.place, a.key) i) AS artifact_ids,
       s.state ->  '$.collected'          AS collected_counts,
       s.state ->  '$.required'           AS required_counts,
       s.state ->> '$.window_ms'          AS window_ms,
       s.state ->> '$.window_count'       AS window_count,
       s.state ->> '$.opened_at_seq'      AS opened_at_seq,
       CASE s.status WHEN 'waiting' THEN s.state ->> '$.window_end'
                     WHEN 'dispatching' THEN s.state ->> '$.dispatch.next_attempt_at'
       END                                AS deadline,
       s.state ->> '$.dispatch.id'            AS dispatch_id,
       s.state ->> '$.dispatch.attempts'      AS dispatch_attempts,
       s.state ->> '$.dispatch.reason'        AS dispatch_reason,
       s.state ->> '$.dispatch.dispatched_at' AS dispatched_at,
       s.state ->> '$.error'              AS error,
       s.state ->> '$.finished_at'        AS completed_at,
       s.updated_at,
       s.space
FROM current_states s
WHERE s.entity_type = 'window';

-- What a host reports is shown from the fact by the same name, or, where the column ends in _json,
-- by the name without that. pending_command is the command that has claimed the host.
CREATE VIEW hosts AS
SELECT s.entity_id AS id,
       s.state ->> '$.hostname'              AS hostname,
       s.state ->> '$.host_type'             AS host_type,
       s.state ->> '$.facts.agent_version'   AS agent_version,
       s.state ->> '$.facts.os_version'      AS os_version,
       s.state ->> '$.facts.nixpkgs_version' AS nixpkgs_version,
       s.state ->> '$.facts.generation'      AS generation,
       CASE WHEN typeof(s.heard) = 'integer'
            THEN strftime('%Y-%m-%dT%H:%M:%S', (s.heard - (s.heard % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
                || printf('.%06dZ', (s.heard % 1000000 + 1000000) % 1000000) END AS last_seen,
       s.status,
       (SELECT c.state ->> '$.holder'
        FROM current_states c
        WHERE c.space = s.space AND c.entity_type = 'claim' AND c.entity_id = 'host/' || s.entity_id
       )                                     AS pending_command,
       s.state ->> '$.comment'               AS comment,
       s.state ->> '$.theme_color'           AS theme_color,
       s.state ->  '$.facts.metrics'         AS metrics_json,
       s.state ->> '$.location'              AS location,
       s.state ->> '$.device_type'           AS device_type,
       s.state ->> '$.facts.test_progress'   AS test_progress,
       s.state ->> '$.facts.repo_url'        AS repo_url,
       s.state ->> '$.facts.repo_dir'        AS repo_dir,
       s.state ->  '$.facts.lock_status'     AS lock_status_json,
       s.state ->  '$.facts.system_status'   AS system_status_json,
       s.state ->  '$.facts.tests_status'    AS tests_status_json,
       s.state ->> '$.facts.tests_generation' AS tests_generation,
       s.state ->> '$.facts.lock_hash'       AS lock_hash,
       s.state ->> '$.created_at'            AS created_at,
       s.updated_at,
       s.version,
       s.state ->> '$.cwd'                   AS cwd,
       s.state ->  '$.facts'                 AS facts,
       s.space
FROM (
    SELECT c.*, c.transient ->> '$.last_seen' AS heard
    FROM current_states c
    WHERE c.entity_type = 'host'
) s;

CREATE VIEW commands AS
SELECT s.entity_id AS id,
       s.state ->> '$.host_id'           AS host_id,
       s.state ->> '$.op'                AS op,
       s.state ->> '$.pipeline_id'       AS pipeline_id,
       s.status,
       s.state ->> '$.created_at'        AS created_at,
       s.state ->> '$.started_at'        AS started_at,
       s.state ->> '$.finished_at'       AS finished_at,
       s.state ->> '$.exit_code'         AS exit_code,
       s.state ->> '$.error'             AS error,
       s.state ->> '$.output_file'       AS output_file,
       s.state ->> '$.code'              AS code,
       s.state ->> '$.stage'             AS stage,
       s.state ->> '$.retryable'         AS retryable,
       s.state ->> '$.warning_at'        AS warning_at,
       s.state ->> '$.timeout_at'        AS timeout_at,
       s.state ->> '$.reconnect_by'      AS reconnect_by,
       s.state ->> '$.queued_until'      AS queued_until,
       s.state ->> '$.kill_initiated_at' AS kill_initiated_at,
       s.state ->> '$.kill_signal'       AS kill_signal,
       s.state ->> '$.process.pid'       AS pid,
       s.version,
       s.updated_at,
       s.space
FROM current_states s
WHERE s.entity_type = 'command';

CREATE VIEW pipelines AS
SELECT s.entity_id AS id,
       s.state ->> '$.name'          AS name,
       s.state ->  '$.hosts'         AS hosts,
       s.state ->> '$.current_stage' AS current_stage,
       s.status,
       s.state ->> '$.created_at'    AS created_at,
       s.state ->> '$.finished_at'   AS finished_at,
       s.state ->  '$.stages'        AS stages,
       s.state ->> '$.recovery'      AS recovery,
       s.state ->> '$.error'         AS error,
       s.version,
       s.updated_at,
       s.space
FROM current_states s
WHERE s.entity_type = 'pipeline';

CREATE VIEW event_log AS
SELECT v.id,
       strftime('%Y-%m-%dT%H:%M:%S', (v.at - (v.at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
           || printf('.%06dZ', (v.at % 1000000 + 1000000) % 1000000) AS timestamp,
       lower(v.event ->> '$.category') AS category,
       lower(v.event ->> '$.level')    AS level,
       v.event ->> '$.actor'           AS actor,
       v.event ->> '$.host_id'         AS host_id,
       v.event ->> '$.action'          AS action,
       v.event ->> '$.message'         AS message,
       v.event ->  '$.details'         AS details,
       v.event ->> '$.subject.kind'    AS subject_type,
       v.event ->> '$.subject.id'      AS subject_id,
       v.space
FROM (
    SELECT x.id & 4294967295 AS id, x.at, s.space,
           CASE WHEN json_valid(CAST(x.data AS TEXT)) THEN CAST(x.data AS TEXT) ELSE '{}' END AS event
    FROM stream s
    JOIN stream_entry x ON x.id BETWEEN (s.no << 32) AND (s.no << 32 | 4294967295)
    WHERE s.kind = 'event' AND s.id = 'log'
) v;

-- One row: the revision of the last commit.
CREATE VIEW state_version AS
SELECT 1 AS id,
       max(coalesce((SELECT max(seq) FROM history), 0), m.floor_seq) >> 16 AS version,
       m.incarnation
FROM meta m;

-- Only what was audited: what was changed with the audit switched off is history, but no audit.
-- The states of kinds whose values are secret are not shown.
DROP VIEW state_audit_log;
CREATE VIEW state_audit_log AS
SELECT h.seq AS id,
       strftime('%Y-%m-%dT%H:%M:%S', (h.at - (h.at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
           || printf('.%06dZ', (h.at % 1000000 + 1000000) % 1000000) AS timestamp,
       e.kind AS entity_type,
       e.id   AS entity_id,
       h.action,
       CASE WHEN json_valid(p.attrs) AND p.attrs ->> '$.redacted' THEN NULL
            ELSE p.state END AS previous_state,
       CASE WHEN json_valid(h.attrs) AND h.attrs ->> '$.redacted' THEN NULL
            ELSE h.state END AS new_state,
       h.actor AS triggered_by,
       h.metadata,
       h.version,
       h.epoch,
       h.reason,
       CASE WHEN h.beneath IS NULL THEN h.seq >> 16 END AS revision,
       e.space
FROM history h
JOIN entity e ON e.no = h.entity
LEFT JOIN history p ON p.seq = h.prev_seq
WHERE h.actor IS NOT NULL;
