//! The statements that write a draft.

use std::ops::Range;

use outlast_core::{Actor, Error, Json, Result, Versioned, checksum_attributes, planted};

use crate::codec::{attributes_text, revision_of};
use crate::draft::{AttributeRow, Draft, HistoryRow};
use crate::fetch::Appended;
use crate::lookup::Located;
use crate::script::{MOST_ROWS, Script};
use crate::sum::{commit_checksum, sealed};
use crate::value::bind_value;

/// True inside a write whose base still stands.
const HELD: &str = "(SELECT held FROM temp.fence)";

/// Adds the fence and all statements behind it; returns which of them insert rows of history.
pub(crate) fn push(
    script: &mut Script,
    draft: &Draft<'_>,
    located: &Located,
) -> Result<Range<usize>> {
    script
        .sql("UPDATE temp.fence SET held = (SELECT coalesce(max(seq), 0) FROM history) = ")
        .value(located.last_row)
        .sql(" AND (SELECT generation FROM meta) = ")
        .value(located.generation)
        .sql(" AND (SELECT user_version FROM pragma_user_version) = ")
        .value(located.layout)
        .end();
    let first = script.statements() as usize;
    for rows in draft.history.chunks(MOST_ROWS) {
        push_history(script, rows)?;
    }
    let inserts = first..script.statements() as usize;
    push_relinked(script, draft);
    push_entities(script, draft);
    push_heads(script, draft);
    push_attributes(script, draft);
    if !planted("counter-outside") {
        push_streams(script, draft);
    }
    push_entries(script, draft);
    push_touches(script, draft);
    Ok(inserts)
}

fn push_history(script: &mut Script, rows: &[HistoryRow<'_>]) -> Result<()> {
    // Whatever does not fit its column is found before anything is bound.
    for row in rows {
        if let Some((_, version)) = row.version {
            number(version.version.epoch.0)?;
            number(version.version.n)?;
        }
    }
    script.sql(
        "INSERT INTO history (seq, beneath, entity, epoch, version, prev_seq, at, action, \
         commit_id, digest, commit_checksum, appended, checksum, actor, reason, metadata, schema, \
         attrs, state) SELECT * FROM ",
    );
    script.values(19, rows, |script, _, row| bind_history(script, row));
    script.sql(" WHERE column1 IS NOT NULL AND ").sql(HELD).end();
    Ok(())
}

fn bind_history(script: &mut Script, row: &HistoryRow<'_>) {
    let version = row.version.map(|(_, version)| version);
    let commit = row.commit;
    let at = version.map_or(commit.at, |version| version.at).as_micros();
    let id = version.map_or(commit.id, |version| version.commit);
    script
        .bind(row.seq)
        .bind(row.beneath.then_some(1i64))
        .bind(row.version.map(|(entity, _)| entity))
        .bind(version.map(|version| version.version.epoch.0.cast_signed()))
        .bind(version.map(|version| version.version.n.cast_signed()))
        .bind(row.prev)
        .bind(at)
        .bind(version.map(|version| version.action.as_str()))
        .bind(id.as_bytes().as_slice());
    bind_opening(script, row);
    let sum = version.map(|version| sealed(version.checksum(), row.seq, row.beneath).cast_signed());
    script.bind(sum);
    bind_version(script, version);
}

fn bind_opening(script: &mut Script, row: &HistoryRow<'_>) {
    if !row.opening {
        script.bind(None::<i64>).bind(None::<i64>).bind(None::<i64>);
        return;
    }
    let commit = row.commit;
    let digest = commit.digest.cast_signed();
    let appended: Appended = commit.remembered().appended;
    let appended = if appended.is_empty() { None } else { serde_json::to_string(&appended).ok() };
    let sum = commit_checksum(
        revision_of(row.seq).0,
        commit.id,
        (commit.at.as_micros(), digest),
        appended.as_deref().map(str::as_bytes),
    );
    script.bind(digest).bind(sum).bind(appended);
}

fn bind_version(script: &mut Script, version: Option<&Versioned>) {
    script
        .bind(version.and_then(|version| version.actor.as_ref()).map(Actor::to_string))
        .bind(version.and_then(|version| version.reason.as_deref()))
        .bind(version.and_then(|version| version.metadata.as_ref()).map(Json::as_str))
        .bind(version.map(|version| i64::from(version.schema)))
        .bind(version.and_then(|version| attributes_text(&version.attrs)))
        .bind(version.and_then(|version| version.state.as_ref()).map(Json::as_str));
}

fn number(number: u64) -> Result<i64> {
    i64::try_from(number)
        .map_err(|_| Error::invalid(format!("{number} is larger than SQLite can hold")))
}

fn push_relinked(script: &mut Script, draft: &Draft<'_>) {
    for rows in draft.relinked.chunks(MOST_ROWS) {
        script.sql("UPDATE history SET prev_seq = v.column2 FROM ");
        script.values(2, rows, |script, _, (seq, prev)| {
            script.bind(*seq).bind(*prev);
        });
        script.sql(" v WHERE seq = v.column1 AND ").sql(HELD).end();
    }
}

fn push_entities(script: &mut Script, draft: &Draft<'_>) {
    for rows in draft.entities.chunks(MOST_ROWS) {
        script.sql("INSERT INTO entity (no, space, kind, id) SELECT * FROM ");
        script.values(4, rows, |script, _, (no, key)| {
            script.bind(*no).bind(i64::from(key.space.0));
            script.bind(key.kind.as_str()).bind(key.id());
        });
        script.sql(" WHERE column1 IS NOT NULL AND ").sql(HELD).end();
    }
}

/// Heads follow from the rows of history just written: nothing is sent twice.
fn push_heads(script: &mut Script, draft: &Draft<'_>) {
    let (Some(first), Some(last)) = (draft.history.first(), draft.history.last()) else { return };
    script
        .sql(
            "INSERT INTO head (entity, epoch, version, seq, live, updated_at, checksum, attrs) \
             SELECT entity, epoch, version, seq, state IS NOT NULL, at, checksum, attrs \
             FROM history WHERE seq BETWEEN ",
        )
        .value(first.seq)
        .sql(" AND ")
        .value(last.seq)
        .sql(" AND entity IS NOT NULL AND beneath IS NULL AND ")
        .sql(HELD)
        .sql(
            " ON CONFLICT (entity) DO UPDATE SET epoch = excluded.epoch, \
             version = excluded.version, seq = excluded.seq, live = excluded.live, \
             updated_at = excluded.updated_at, checksum = excluded.checksum, \
             attrs = excluded.attrs, \
             transient = CASE WHEN excluded.live THEN transient END, \
             transient_checksum = CASE WHEN excluded.live THEN transient_checksum END",
        )
        .end();
}

fn push_attributes(script: &mut Script, draft: &Draft<'_>) {
    for (entity, key) in &draft.wiped {
        script.sql("DELETE FROM attribute WHERE space = ").value(i64::from(key.space.0));
        script.sql(" AND kind = ").value(key.kind.as_str());
        script.sql(" AND entity = ").value(*entity).sql(" AND ").sql(HELD).end();
    }
    for rows in draft.changed.chunks(MOST_ROWS) {
        script.sql("UPDATE OR REPLACE attribute SET value = v.column6 FROM ");
        script.values(6, rows, |script, _, (row, now)| {
            bind_attribute(script, row);
            bind_value(script, now);
        });
        push_same_attribute(script);
    }
    // A DELETE cannot be driven by a list of rows and find them by key; an UPDATE can.
    for rows in draft.removed.chunks(MOST_ROWS) {
        script.sql("UPDATE OR REPLACE attribute SET space = -1 FROM ");
        script.values(5, rows, |script, _, row| bind_attribute(script, row));
        push_same_attribute(script);
    }
    if !draft.removed.is_empty() {
        script.sql("DELETE FROM attribute WHERE space = -1").end();
    }
    for rows in draft.added.chunks(MOST_ROWS) {
        script.sql("INSERT OR IGNORE INTO attribute (space, kind, name, value, entity) ");
        script.sql("SELECT * FROM ");
        script.values(5, rows, |script, _, row| bind_attribute(script, row));
        script.sql(" WHERE column1 IS NOT NULL AND ").sql(HELD).end();
    }
}

fn bind_attribute(script: &mut Script, row: &AttributeRow<'_>) {
    script.bind(i64::from(row.key.space.0)).bind(row.key.kind.as_str()).bind(row.name.as_str());
    bind_value(script, &row.value);
    script.bind(row.entity);
}

fn push_same_attribute(script: &mut Script) {
    script
        .sql(
            " v WHERE space = v.column1 AND kind = v.column2 AND name = v.column3 \
             AND value = v.column4 AND entity = v.column5 AND ",
        )
        .sql(HELD)
        .end();
}

pub(crate) fn push_streams(script: &mut Script, draft: &Draft<'_>) {
    for rows in draft.streams.chunks(MOST_ROWS) {
        script.sql("INSERT INTO stream (no, space, kind, id, first_seq, last_seq) SELECT * FROM ");
        script.values(6, rows, |script, _, row| {
            let name = row.stream;
            script.bind(row.no).bind(i64::from(name.space.0));
            script.bind(name.kind.as_str()).bind(name.id());
            script.bind(row.first.0.cast_signed()).bind(row.last.0.cast_signed());
        });
        script.sql(" WHERE column1 IS NOT NULL AND ").sql(HELD);
        script.sql(" ON CONFLICT (no) DO UPDATE SET last_seq = excluded.last_seq").end();
    }
}

fn push_entries(script: &mut Script, draft: &Draft<'_>) {
    for rows in draft.entries.chunks(MOST_ROWS) {
        script.sql("INSERT INTO stream_entry (id, at, checksum, attrs, data) SELECT * FROM ");
        script.values(5, rows, |script, _, (id, entry)| {
            script.bind(*id).bind(entry.at.as_micros()).bind(entry.checksum().cast_signed());
            script.bind(attributes_text(&entry.attrs)).bind(entry.data.as_slice());
        });
        script.sql(" WHERE column1 IS NOT NULL AND ").sql(HELD).end();
    }
}

fn push_touches(script: &mut Script, draft: &Draft<'_>) {
    for rows in draft.touches.chunks(MOST_ROWS) {
        script.sql("UPDATE head SET transient = v.column2, transient_checksum = v.column3 FROM ");
        script.values(3, rows, |script, _, (entity, attrs)| {
            let sum = checksum_attributes(attrs).cast_signed();
            script.bind(*entity).bind(attributes_text(attrs)).bind(sum);
        });
        script.sql(" v WHERE entity = v.column1 AND ").sql(HELD).end();
    }
}
