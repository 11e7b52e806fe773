DROP VIEW state_audit_log;
CREATE VIEW state_audit_log AS
SELECT h.seq AS id,
       strftime('%Y-%m-%dT%H:%M:%S', (h.at - (h.at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
           || printf('.%06dZ', (h.at % 1000000 + 1000000) % 1000000) AS timestamp,
       e.kind AS entity_type,
       e.id   AS entity_id,
       h.action,
       p.state AS previous_state,
       h.state AS new_state,
       h.actor AS triggered_by,
       h.metadata,
       h.version,
       h.epoch,
       h.reason,
       CASE WHEN h.beneath IS NULL THEN h.seq >> 16 END AS revision,
       e.space
FROM history h
JOIN entity e ON e.no = h.entity
LEFT JOIN history p ON p.seq = h.prev_seq;
DROP VIEW state_version;
DROP VIEW event_log;
DROP VIEW pipelines;
DROP VIEW commands;
DROP VIEW hosts;
DROP VIEW logic_operation_state;
DROP VIEW window_items;
DROP VIEW recovery_checkpoints;
DROP VIEW session_states;
DROP VIEW agent_states;
DROP VIEW swarm_states;
DROP VIEW current_states;
DROP VIEW lineages;
