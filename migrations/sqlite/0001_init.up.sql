-- One row: what this file is, and what was pruned from it.
CREATE TABLE meta (
    id          INTEGER PRIMARY KEY,
    backend     TEXT    NOT NULL,
    format      INTEGER NOT NULL,
    store       TEXT    NOT NULL,
    incarnation TEXT    NOT NULL,
    created_at  TEXT    NOT NULL,
    generation  INTEGER NOT NULL, -- grows whenever something is pruned
    floor_seq   INTEGER NOT NULL  -- the highest row of history ever pruned
);

-- Names keys by number. Hardly ever updated.
CREATE TABLE entity (
    no    INTEGER PRIMARY KEY,
    space INTEGER NOT NULL,
    kind  TEXT    NOT NULL,
    id    TEXT    NOT NULL
);
CREATE INDEX entity_name ON entity (space, kind, id);

-- Feed, audit, versions and current state at once. Append only.
-- seq = revision << 16 | place within the commit, so it needs no index by revision.
CREATE TABLE history (
    seq             INTEGER PRIMARY KEY,
    beneath         INTEGER, -- 1: copied beneath a newer version, not part of the feed
    entity          INTEGER, -- NULL: the commit wrote no version of its own
    epoch           INTEGER,
    version         INTEGER,
    prev_seq        INTEGER, -- the version before this one of the same entity
    at              INTEGER NOT NULL, -- microseconds since 1970
    action          TEXT,
    commit_id       BLOB    NOT NULL,
    digest          INTEGER, -- set on the row that opens a commit, as are the next two
    commit_checksum INTEGER,
    appended        TEXT,
    checksum        INTEGER,
    actor           TEXT,
    reason          TEXT,
    metadata        TEXT,
    schema          INTEGER,
    attrs           TEXT,
    state           TEXT     -- last, so that the other columns are read without it
);
CREATE INDEX history_commit ON history (commit_id) WHERE digest IS NOT NULL;
CREATE INDEX history_marker ON history (at) WHERE entity IS NULL;

-- The newest version of each entity, tombstones included, without its content.
CREATE TABLE head (
    entity             INTEGER PRIMARY KEY,
    epoch              INTEGER NOT NULL,
    version            INTEGER NOT NULL,
    seq                INTEGER NOT NULL,
    live               INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    checksum           INTEGER NOT NULL,
    attrs              TEXT,
    transient          TEXT,
    transient_checksum INTEGER
);

-- The index of everything that live entities can be filtered and ordered by.
-- value has no type: integers sort before texts, texts by their bytes.
CREATE TABLE attribute (
    space  INTEGER NOT NULL,
    kind   TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    value          NOT NULL,
    entity INTEGER NOT NULL,
    PRIMARY KEY (space, kind, name, value, entity)
) WITHOUT ROWID;

CREATE TABLE stream (
    no        INTEGER PRIMARY KEY,
    space     INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL
);
CREATE INDEX stream_name ON stream (kind, space, id);

-- id = stream number << 32 | place in the stream, so it needs no second index.
CREATE TABLE stream_entry (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    attrs    TEXT,
    data     BLOB NOT NULL
);

-- Commits of which versions were pruned while their ids still had to be remembered.
CREATE TABLE remembered (
    commit_id BLOB PRIMARY KEY,
    seq       INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    digest    INTEGER NOT NULL,
    versions  TEXT NOT NULL,
    appended  TEXT
) WITHOUT ROWID;

CREATE VIEW state_versions AS
SELECT e.kind AS entity_type,
       e.id   AS entity_id,
       d.version,
       d.epoch,
       NOT d.live AS deleted,
       strftime('%Y-%m-%dT%H:%M:%S', (d.updated_at - (d.updated_at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
           || printf('.%06dZ', (d.updated_at % 1000000 + 1000000) % 1000000) AS updated_at,
       d.seq >> 16 AS revision,
       e.space
FROM head d
JOIN entity e ON e.no = d.entity;

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

CREATE VIEW tasks AS
SELECT t.id,
       coalesce(t.attrs ->> '$.group', t.state ->> '$.run_id') AS run_id,
       t.state ->> '$.name'              AS name,
       t.state ->> '$.command'           AS command,
       t.state ->> '$.cwd'               AS cwd,
       lower(t.attrs ->> '$.status')     AS state,
       t.state ->> '$.created_at'        AS created_at,
       t.state ->> '$.started_at'        AS started_at,
       t.state ->> '$.finished_at'       AS finished_at,
       t.state ->> '$.process.pid'       AS pid,
       t.state ->> '$.process.boot_id' || ':' || (t.state ->> '$.process.start_ticks') AS process_start_token,
       t.state ->> '$.exit_code'         AS exit_code,
       t.state ->> '$.error'             AS error,
       t.state ->> '$.idle_threshold_ms' AS idle_threshold_ms,
       t.state ->> '$.attempt'           AS attempt,
       t.state ->> '$.recovery'          AS recovery_policy,
       t.state ->> '$.retry_of'          AS retry_of,
       coalesce(t.transient ->> '$.owner_instance', t.state ->> '$.owner_instance') AS owner_instance,
       CASE WHEN typeof(t.active) = 'integer'
            THEN strftime('%Y-%m-%dT%H:%M:%S', (t.active - (t.active % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
                 || printf('.%06dZ', (t.active % 1000000 + 1000000) % 1000000)
            ELSE t.active END            AS last_activity_at,
       t.version,
       t.space
FROM (
    SELECT e.id, e.space, d.version,
           CASE WHEN json_valid(h.state) THEN h.state ELSE '{}' END         AS state,
           CASE WHEN json_valid(h.attrs) THEN h.attrs ELSE '{}' END         AS attrs,
           CASE WHEN json_valid(d.transient) THEN d.transient ELSE '{}' END AS transient,
           CASE WHEN json_valid(d.transient) THEN d.transient ->> '$.last_activity_at' END AS active
    FROM entity e
    JOIN head d ON d.entity = e.no
    JOIN history h ON h.seq = d.seq
    WHERE e.kind = 'task' AND d.live
) t;

CREATE VIEW task_states AS
SELECT c.id AS task_id,
       row_number() OVER (PARTITION BY c.space, c.id ORDER BY c.epoch, c.version) AS seq,
       c.before AS from_state,
       c.after  AS to_state,
       c.before AS "from",
       c.after  AS "to",
       CASE WHEN c.before IS NULL                              THEN 'create'
            WHEN c.before = 'created' AND c.after = 'running'  THEN 'start'
            WHEN c.before = 'idle' AND c.after = 'running'     THEN 'detect_activity'
            WHEN c.after = 'idle'                              THEN 'detect_silence'
            WHEN c.after = 'interrupted'                       THEN 'interrupt'
            WHEN c.after = 'completed'                         THEN 'finish'
            WHEN c.after = 'failed'                            THEN 'fail'
            ELSE 'change' END AS event,
       strftime('%Y-%m-%dT%H:%M:%S', (c.at - (c.at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
           || printf('.%06dZ', (c.at % 1000000 + 1000000) % 1000000) AS at,
       c.reason,
       c.actor,
       c.version,
       c.space
FROM (
    SELECT e.id, e.space, h.epoch, h.version, h.at, h.reason, h.actor,
           CASE WHEN json_valid(p.attrs) THEN lower(p.attrs ->> '$.status') END AS before,
           CASE WHEN json_valid(h.attrs) THEN lower(h.attrs ->> '$.status') END AS after
    FROM history h
    JOIN entity e ON e.no = h.entity
    LEFT JOIN history p ON p.seq = h.prev_seq
    WHERE e.kind = 'task' AND h.state IS NOT NULL
) c
WHERE c.after IS NOT c.before;

CREATE VIEW log_fragments AS
SELECT f.task_id,
       f.seq,
       f.attrs ->> '$.stream'      AS stream,
       strftime('%Y-%m-%dT%H:%M:%S', (f.at - (f.at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
           || printf('.%06dZ', (f.at % 1000000 + 1000000) % 1000000) AS at,
       f.attrs ->> '$.byte_offset' AS byte_offset,
       CASE WHEN f.attrs ->> '$.codec' IS NULL THEN CAST(f.data AS TEXT) ELSE f.data END AS data,
       f.attrs ->> '$.line_count'  AS n_lines,
       f.attrs ->> '$.codec'       AS codec,
       f.space
FROM (
    SELECT s.id AS task_id, s.space, x.id & 4294967295 AS seq, x.at, x.data,
           CASE WHEN json_valid(x.attrs) THEN x.attrs ELSE '{}' END AS attrs
    FROM stream s
    JOIN stream_entry x ON x.id BETWEEN (s.no << 32) AND (s.no << 32 | 4294967295)
    WHERE s.kind = 'log'
) f;
