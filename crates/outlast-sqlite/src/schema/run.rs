//! Runs migrations, each in a transaction of its own.

use std::path::Path;
use std::time::Duration;

use outlast_core::{Error, Result};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::{Applied, Loss, Migration, Schema, Status};
use crate::codec::Cells;
use crate::config::{APPLICATION_ID, Access, connect};
use crate::error::{Doing, Place};
use crate::file::{Found, inspect};
use crate::script::{Answer, Script};

/// How long one migration waits for another: far longer than for a commit.
const PATIENCE: Duration = Duration::from_mins(2);

const RECORD: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TEXT NOT NULL
)";

pub(super) async fn status(schema: &Schema, path: &Path) -> Result<Status> {
    let (place, mut connection) = open(schema, path, Access::reading(&Place::new(path))).await?;
    let status = standing(schema, &mut connection, &place).await?;
    close(connection, &place).await?;
    Ok(status)
}

pub(super) async fn up(schema: &Schema, path: &Path) -> Result<Status> {
    let (place, mut connection) = open(schema, path, Access::Write).await?;
    let status = migrate(schema, &mut connection, &place).await?;
    close(connection, &place).await?;
    Ok(status)
}

pub(super) async fn down(schema: &Schema, path: &Path, to: u32) -> Result<Status> {
    let (place, mut connection) = open(schema, path, Access::Write).await?;
    loop {
        run(&mut connection, &place, "BEGIN IMMEDIATE").await?;
        let status = current(schema, &mut connection, &place).await?;
        check_target(&place, status.current, to)?;
        let Some(migration) = schema.after(to, status.current).first().copied() else {
            run(&mut connection, &place, "ROLLBACK").await?;
            close(connection, &place).await?;
            return Ok(status);
        };
        take_back(&mut connection, &place, migration).await?;
        run(&mut connection, &place, "COMMIT").await?;
    }
}

pub(super) async fn losses(schema: &Schema, path: &Path, to: u32) -> Result<Vec<Loss>> {
    let (place, mut connection) = open(schema, path, Access::Write).await?;
    run(&mut connection, &place, "BEGIN IMMEDIATE").await?;
    let status = current(schema, &mut connection, &place).await?;
    check_target(&place, status.current, to)?;
    let before = columns(&mut connection, &place).await?;
    let mut rows = Vec::new();
    for (table, _) in &before {
        rows.push(count(&mut connection, &place, table).await?);
    }
    for migration in schema.after(to, status.current) {
        take_back(&mut connection, &place, migration).await?;
    }
    let after = columns(&mut connection, &place).await?;
    run(&mut connection, &place, "ROLLBACK").await?;
    close(connection, &place).await?;
    let mut losses = Vec::new();
    for ((table, columns), rows) in before.into_iter().zip(rows) {
        match after.iter().find(|(name, _)| *name == table) {
            None => losses.push(Loss { what: table, rows }),
            Some((_, left)) => {
                let lost = columns.into_iter().filter(|column| !left.contains(column));
                losses.extend(lost.map(|column| Loss { what: format!("{table}.{column}"), rows }));
            }
        }
    }
    Ok(losses)
}

/// Applies what is pending.
pub(crate) async fn migrate(
    schema: &Schema,
    connection: &mut SqliteConnection,
    place: &Place,
) -> Result<Status> {
    loop {
        run(connection, place, "BEGIN IMMEDIATE").await?;
        let status = current(schema, connection, place).await?;
        let Some(migration) = status.pending.first() else {
            run(connection, place, "ROLLBACK").await?;
            return Ok(status);
        };
        run(connection, place, RECORD).await?;
        run(connection, place, migration.up).await?;
        let mut script = Script::new();
        script
            .sql("INSERT INTO schema_migrations VALUES (")
            .value(i64::from(migration.version))
            .sql(", ")
            .value(migration.name)
            .sql(", ")
            .value(migration.checksum())
            .sql(", strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))")
            .end();
        answers(connection, place, script).await?;
        run(connection, place, &format!("PRAGMA user_version = {}", migration.version)).await?;
        run(connection, place, &format!("PRAGMA application_id = {APPLICATION_ID}")).await?;
        run(connection, place, "COMMIT").await?;
    }
}

/// Where the file of an open connection stands, while others may be migrating it.
pub(crate) async fn standing(
    schema: &Schema,
    connection: &mut SqliteConnection,
    place: &Place,
) -> Result<Status> {
    run(connection, place, "BEGIN").await?;
    let status = current(schema, connection, place).await?;
    run(connection, place, "COMMIT").await?;
    Ok(status)
}

/// Where the file stands, read in several statements of one transaction.
async fn current(
    schema: &Schema,
    connection: &mut SqliteConnection,
    place: &Place,
) -> Result<Status> {
    check_text(connection, place).await?;
    let version = crate::config::pragma(connection, place, "user_version").await?;
    let current: u32 = version.parse().unwrap_or(u32::MAX);
    let latest = schema.latest();
    if current > latest {
        return Err(newer(place, current, latest));
    }
    let applied = applied(connection, place).await?;
    let known = applied.last().map_or(0, |applied| applied.version);
    if known != current {
        return Err(Error::incompatible(format!(
            "{place} says it has layout {current} but records migration {known} as its last"
        )));
    }
    for applied in &applied {
        let ours = schema.migrations.iter().find(|ours| ours.version == applied.version);
        if ours.is_none_or(|ours| ours.checksum() != applied.checksum) {
            return Err(Error::incompatible(format!(
                "{place} was made by another migration {} ({}) than this program has; \
                 use the program that made it",
                applied.version, applied.name
            )));
        }
    }
    Ok(Status { current, latest, applied, pending: schema.pending(current) })
}

/// The driver does not survive names that are not UTF-8. Ours are ASCII.
async fn check_text(connection: &mut SqliteConnection, place: &Place) -> Result<()> {
    let mut script = Script::new();
    script.sql("SELECT 1 FROM sqlite_schema WHERE sql GLOB '*[^ -~' || char(10) || ']*'").end();
    let found = answers(connection, place, script).await?;
    if found.first().is_some_and(|answer| answer.rows.is_empty()) {
        return Ok(());
    }
    Err(Error::corrupt(format!("the layout of {place} is damaged; restore a backup")))
}

/// A file that a newer program made.
pub(crate) fn newer(place: &Place, current: u32, latest: u32) -> Error {
    Error::incompatible(format!(
        "{place} has layout {current}, this program knows up to {latest}; use a newer program"
    ))
}

async fn applied(connection: &mut SqliteConnection, place: &Place) -> Result<Vec<Applied>> {
    let mut script = Script::new();
    script.sql("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'").end();
    let there = answers(connection, place, script).await?;
    if there.first().is_none_or(|answer| answer.rows.is_empty()) {
        return Ok(Vec::new());
    }
    let mut script = Script::new();
    let columns = "version, name, checksum, applied_at";
    script.sql("SELECT ").sql(columns).sql(" FROM schema_migrations ORDER BY version").end();
    let found = answers(connection, place, script).await?;
    let rows = found.first().map(|answer| &answer.rows).into_iter().flatten();
    let applied = rows.map(|row| {
        let cells = Cells(row);
        Applied {
            version: u32::try_from(cells.count(0)).unwrap_or(u32::MAX),
            name: cells.any_text(1),
            checksum: cells.any_text(2),
            applied_at: cells.any_text(3),
        }
    });
    Ok(applied.collect())
}

async fn take_back(
    connection: &mut SqliteConnection,
    place: &Place,
    migration: Migration,
) -> Result<()> {
    run(connection, place, migration.down).await?;
    let mut script = Script::new();
    script.sql("DELETE FROM schema_migrations WHERE version = ");
    script.value(i64::from(migration.version)).end();
    answers(connection, place, script).await?;
    let left = migration.version.saturating_sub(1);
    run(connection, place, &format!("PRAGMA user_version = {left}")).await
}

fn check_target(place: &Place, current: u32, to: u32) -> Result<()> {
    if to <= current {
        return Ok(());
    }
    Err(Error::invalid(format!("{place} has layout {current}, which is below {to} already")))
}

/// The tables there are, with their columns.
async fn columns(
    connection: &mut SqliteConnection,
    place: &Place,
) -> Result<Vec<(String, Vec<String>)>> {
    let mut script = Script::new();
    script
        .sql(
            "SELECT t.name, group_concat(c.name) FROM pragma_table_list t \
             CROSS JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.schema = 'main' \
             AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'schema_migrations' GROUP BY t.name",
        )
        .end();
    let found = answers(connection, place, script).await?;
    let rows = found.first().map(|answer| &answer.rows).into_iter().flatten();
    let tables = rows.map(|row| {
        let columns = Cells(row).any_text(1).split(',').map(str::to_owned).collect();
        (Cells(row).any_text(0), columns)
    });
    Ok(tables.collect())
}

async fn count(connection: &mut SqliteConnection, place: &Place, table: &str) -> Result<u64> {
    let mut script = Script::new();
    script.sql("SELECT count(*) FROM \"").sql(table).sql("\"").end();
    let found = answers(connection, place, script).await?;
    let row = found.first().and_then(|answer| answer.rows.first());
    Ok(row.map_or(0, |row| Cells(row).count(0)))
}

async fn run(connection: &mut SqliteConnection, place: &Place, sql: &str) -> Result<()> {
    let ran = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    ran.map(|_| ()).map_err(|cause| place.error(cause, Doing::Opening))
}

async fn answers(
    connection: &mut SqliteConnection,
    place: &Place,
    script: Script,
) -> Result<Vec<Answer>> {
    let ran = script.run(connection).await?;
    ran.map_err(|stopped| place.error(stopped.cause, Doing::Opening))
}

async fn open(schema: &Schema, path: &Path, access: Access) -> Result<(Place, SqliteConnection)> {
    let place = Place::new(path);
    match inspect(&place)? {
        Found::Nothing => Err(Error::unavailable(format!("there is no store at {place}"))),
        Found::Store { layout } if layout > schema.latest() => {
            Err(newer(&place, layout, schema.latest()))
        }
        Found::Store { .. } => {
            let connection = connect(&place, access, PATIENCE).await?;
            Ok((place, connection))
        }
    }
}

async fn close(connection: SqliteConnection, place: &Place) -> Result<()> {
    connection.close().await.map_err(|cause| place.error(cause, Doing::Opening))
}
