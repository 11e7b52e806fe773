//! Migrations tried on an empty database.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection, raw_sql};

use super::folder::Migration;
use crate::Result;

/// Everything a database defines: the kind, name and text of each object.
type Schema = Vec<(String, String, String)>;

/// Goes all the way up, down and up again, one migration at a time, and says where a schema is
/// not what it was before at the same step.
pub(super) async fn round_trip(migrations: &[Migration]) -> Result<Vec<String>> {
    let mut database = SqliteConnectOptions::new().in_memory(true).connect().await?;
    let mut steps = vec![schema(&mut database).await?];
    for migration in migrations {
        let [up, _] = migration.files();
        apply(&mut database, &up, &migration.up).await?;
        steps.push(schema(&mut database).await?);
    }
    let mut problems = Vec::new();
    for (migration, before) in migrations.iter().zip(&steps).rev() {
        let [up, down] = migration.files();
        apply(&mut database, &down, &migration.down).await?;
        if let Some(difference) = difference(before, &schema(&mut database).await?) {
            problems.push(format!("{down} does not undo {up}: {difference}"));
        }
    }
    if !problems.is_empty() {
        return Ok(problems);
    }
    for (migration, after) in migrations.iter().zip(steps.iter().skip(1)) {
        let [up, _] = migration.files();
        apply(&mut database, &up, &migration.up).await?;
        if let Some(difference) = difference(after, &schema(&mut database).await?) {
            problems.push(format!("{up} does something else the second time: {difference}"));
        }
    }
    Ok(problems)
}

async fn apply(database: &mut SqliteConnection, file: &str, text: &str) -> Result<()> {
    let done = raw_sql(sqlx::AssertSqlSafe(text.to_owned())).execute(database).await;
    done.map(drop).map_err(|error| format!("{file} fails: {error}").into())
}

async fn schema(database: &mut SqliteConnection) -> Result<Schema> {
    let query = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name";
    let rows = raw_sql(query).fetch_all(database).await?;
    let cells = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)));
    cells.collect()
}

fn difference(before: &Schema, after: &Schema) -> Option<String> {
    let left = after.iter().filter(|object| !before.contains(object));
    let gone = before.iter().filter(|object| !after.contains(object));
    let names = |(kind, name, _): &(String, String, String)| format!("{kind} {name}");
    let mut all: Vec<String> = left.map(|object| format!("{} is there", names(object))).collect();
    all.extend(gone.map(|object| format!("{} is not", names(object))));
    (!all.is_empty()).then(|| all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str)]) -> Vec<String> {
        let migrations: Vec<Migration> = (1..)
            .zip(pairs)
            .map(|(number, (up, down))| Migration {
                number,
                name: "step".to_owned(),
                up: (*up).to_owned(),
                down: (*down).to_owned(),
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(round_trip(&migrations)).unwrap_or_else(|error| vec![error.to_string()])
    }

    #[test]
    fn a_migration_that_undoes_itself_passes() {
        let first =
            ("CREATE TABLE a (x); CREATE VIEW b AS SELECT x FROM a;", "DROP VIEW b; DROP TABLE a;");
        let second = ("ALTER TABLE a ADD COLUMN y;", "ALTER TABLE a DROP COLUMN y;");
        assert_eq!(check(&[first, second]), Vec::<String>::new());
    }

    #[test]
    fn what_is_left_behind_is_found() {
        let found = check(&[("CREATE TABLE a (x); CREATE TABLE b (x);", "DROP TABLE a;")]);
        assert_eq!(found[0], "0001_step.down.sql does not undo 0001_step.up.sql: table b is there");
    }

    #[test]
    fn what_was_taken_along_is_found() {
        let first = ("CREATE TABLE a (x);", "DROP TABLE IF EXISTS a;");
        let second = ("CREATE TABLE b (x);", "DROP TABLE b; DROP TABLE a;");
        let found = check(&[first, second]);
        assert_eq!(found, ["0002_step.down.sql does not undo 0002_step.up.sql: table a is not"]);
    }

    #[test]
    fn a_migration_that_fails_is_named() {
        let found = check(&[("CREATE TABLE a (x", "DROP TABLE a;")]);
        assert!(found[0].starts_with("0001_step.up.sql fails: "), "{found:?}");
    }
}
