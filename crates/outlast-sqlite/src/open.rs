//! Opening a store, and creating it where there is none.

use std::path::Path;
use std::sync::Mutex;

use outlast_core::{
    BackendInfo, Capability, Durability, Epoch, Error, IdSource, Incarnation, Limits, OpenOptions,
    Result, Upgrade,
};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use crate::Sqlite;
use crate::codec::Cells;
use crate::config::{Access, connect};
use crate::connections::Connections;
use crate::error::{Doing, Place};
use crate::file::{Found, Newborn, beside, inspect};
use crate::gather::Gather;
use crate::mark::Mark;
use crate::schema::{Schema, migrate, newer, standing};
use crate::script::Script;

const BACKEND: &str = "sqlite";
/// The version of what the tables hold, beyond their columns.
const FORMAT: i64 = 1;

/// What the file says it is.
struct Meta {
    store: Uuid,
    incarnation: Uuid,
}

pub(crate) async fn open(
    schema: &Schema,
    path: &Path,
    options: &OpenOptions,
    ids: &dyn IdSource,
) -> Result<Sqlite> {
    let place = Place::new(path);
    if path.to_str().is_none() || path.file_name().is_none() {
        return Err(Error::invalid(format!("{place} cannot name a store; sqlite wants UTF-8")));
    }
    match inspect(&place)? {
        Found::Nothing if options.read_only || !options.create => {
            return Err(Error::unavailable(format!("there is no store at {place}")));
        }
        Found::Nothing => create(schema, &place, options, ids).await?,
        Found::Store { layout } if layout > schema.latest() => {
            return Err(newer(&place, layout, schema.latest()));
        }
        Found::Store { .. } => {}
    }
    // SQLite keeps the log beside the file and not beside a link to it.
    let place = place.resolved()?;
    let (access, mut connection) = first_connection(&place, options).await?;
    if access == Access::Write {
        bring_in(&mut connection, &place).await?;
    }
    let upgrade = !options.read_only && options.upgrade == Upgrade::Auto;
    let status = standing(schema, &mut connection, &place).await?;
    if !status.pending.is_empty() {
        if !upgrade {
            return Err(Error::incompatible(format!(
                "{place} has layout {}, this program writes {}; run `outlast schema upgrade`",
                status.current, status.latest
            )));
        }
        migrate(schema, &mut connection, &place).await?;
        mark(&mut connection, &place, ids).await?;
    }
    let meta = read_meta(&mut connection, &place).await?;
    let mark = Mark::new(&place, meta.store, meta.incarnation);
    mark.check(&mut connection, &place).await?;
    let info = BackendInfo {
        name: BACKEND,
        location: path.display().to_string(),
        store: meta.store,
        incarnation: Incarnation(meta.incarnation),
        epoch: Epoch(1),
        schema_version: schema.latest(),
        durability: Durability::Durable,
        capabilities: vec![
            Capability::Persistent,
            Capability::MultiProcess,
            Capability::Backup,
            Capability::Compact,
            Capability::ReadOnly,
        ],
        limits: Limits::EMBEDDED,
        read_only: options.read_only,
    };
    let connections =
        Connections::new((place, mark), access, options.busy_timeout, connection).await?;
    let (located, recent, gather) = (Mutex::new(None), Mutex::default(), Gather::default());
    Ok(Sqlite { connections, info, located, recent, gather })
}

async fn first_connection(
    place: &Place,
    options: &OpenOptions,
) -> Result<(Access, SqliteConnection)> {
    if !options.read_only {
        let connection = connect(place, Access::Write, options.busy_timeout).await?;
        return Ok((Access::Write, connection));
    }
    let access = Access::reading(place);
    let refused = match connect(place, access, options.busy_timeout).await {
        Ok(connection) => return Ok((access, connection)),
        Err(refused) => refused,
    };
    // Reading beside writers needs files beside the store. Where they cannot be made, nobody can
    // write either, and the file alone can be read if all of it is in it.
    let log = std::fs::metadata(beside(place.path(), "-wal"));
    if refused.kind() != outlast_core::ErrorKind::Unavailable || log.is_ok_and(|log| log.len() > 0)
    {
        return Err(refused);
    }
    let connection = connect(place, Access::Immutable, options.busy_timeout).await?;
    Ok((Access::Immutable, connection))
}

/// Makes the store under a name of its own and links it into place when it is durable: a file
/// under the store's name is never half made. Of two at once, one wins and both open its file.
async fn create(
    schema: &Schema,
    place: &Place,
    options: &OpenOptions,
    ids: &dyn IdSource,
) -> Result<()> {
    let newborn = Newborn::create(place, &ids.uuid().to_string())?;
    let temporary = newborn.place();
    let mut connection = connect(&temporary, Access::Write, options.busy_timeout).await?;
    migrate(schema, &mut connection, &temporary).await?;
    mark(&mut connection, &temporary, ids).await?;
    settle(connection, &temporary).await?;
    newborn.link()?;
    Ok(())
}

/// Copies what a process left in the log into the file, and makes it durable there.
///
/// A sync of the log may have failed before that process ended. What it wrote is then in memory,
/// where it is read, and not on the disk, where no later sync brings it: the kernel counts it as
/// written. Nothing is answered on the strength of that before it was written once more.
async fn bring_in(connection: &mut SqliteConnection, place: &Place) -> Result<()> {
    if std::fs::metadata(beside(place.path(), "-wal")).map_or(0, |log| log.len()) == 0 {
        return Ok(());
    }
    // Does not wait for anybody: while others use the log, what they find in it is theirs.
    let checkpoint = sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)").execute(connection).await;
    checkpoint.map(drop).map_err(|cause| place.error(cause, Doing::Opening))
}

/// Brings everything from the log into the file and closes it.
async fn settle(mut connection: SqliteConnection, place: &Place) -> Result<()> {
    let opening = |cause| place.error(cause, Doing::Opening);
    let checkpoint = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)");
    checkpoint.execute(&mut connection).await.map_err(opening)?;
    connection.close().await.map_err(opening)
}

/// Says what the file is, unless it says so already.
async fn mark(connection: &mut SqliteConnection, place: &Place, ids: &dyn IdSource) -> Result<()> {
    let mut script = Script::new();
    script
        .sql(
            "INSERT INTO meta (id, backend, format, store, incarnation, created_at, generation, \
             floor_seq) SELECT 1, ",
        )
        .value(BACKEND)
        .sql(", ")
        .value(FORMAT)
        .sql(", ")
        .value(ids.uuid().to_string())
        .sql(", ")
        .value(ids.uuid().to_string())
        .sql(", strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 0, 0 WHERE NOT EXISTS (SELECT 1 FROM meta)")
        .end();
    let marked = script.run(connection).await?;
    marked.map(|_| ()).map_err(|stopped| place.error(stopped.cause, Doing::Opening))
}

async fn read_meta(connection: &mut SqliteConnection, place: &Place) -> Result<Meta> {
    let mut script = Script::new();
    script.sql("SELECT backend, format, store, incarnation FROM meta").end();
    let answers = script.run(connection).await?;
    let answers = answers.map_err(|stopped| place.error(stopped.cause, Doing::Opening))?;
    let row = answers.first().and_then(|answer| answer.rows.first());
    let damaged = || Error::corrupt(format!("table meta of {place} is damaged; restore a backup"));
    let cells = Cells(row.ok_or_else(damaged)?);
    let format = cells.int(1).unwrap_or_default();
    if cells.text(0) != Some(BACKEND) || format != FORMAT {
        let backend = cells.any_text(0);
        return Err(Error::incompatible(format!(
            "{place} holds format {format} of backend {backend:?}, this program reads format \
             {FORMAT} of {BACKEND:?}"
        )));
    }
    let uuid = |column| {
        let text = cells.text(column).ok_or_else(damaged)?;
        Uuid::parse_str(text).map_err(|_| damaged())
    };
    Ok(Meta { store: uuid(2)?, incarnation: uuid(3)? })
}
