//! The SQLite store keeps everything that every backend has to keep.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use outlast_conformance::{Harness, Site, Target, differential, run_all, seed, sequences};
use outlast_core::{Backend, Error, Key, OpenOptions, RandomIds, Result};
use outlast_sqlite::Sqlite;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;

struct SqliteHarness;

struct Folder(TempDir);

#[async_trait]
impl Harness for SqliteHarness {
    fn name(&self) -> String {
        "sqlite".to_owned()
    }

    async fn site(&self) -> Result<Box<dyn Site>> {
        let folder = tempfile::tempdir();
        let folder = folder.map_err(|cause| Error::unavailable("no folder").with_source(cause))?;
        Ok(Box::new(Folder(folder)))
    }
}

#[async_trait]
impl Site for Folder {
    async fn open(&self, options: &OpenOptions) -> Result<Arc<dyn Backend>> {
        Ok(Arc::new(Sqlite::open(&self.file(), options, &RandomIds).await?))
    }

    async fn damage(&self, target: &Target) -> Result<bool> {
        let of = |key: &Key| {
            format!("(SELECT no FROM entity WHERE kind = '{}' AND id = '{}')", key.kind, key.id())
        };
        let rot = "SET state = 'x' || substr(state, 2)";
        let sql = match target {
            Target::Head(key) => format!(
                "UPDATE history {rot} WHERE seq = (SELECT seq FROM head WHERE entity = {})",
                of(key)
            ),
            Target::Version(key, n) => {
                format!("UPDATE history {rot} WHERE entity = {} AND version = {n}", of(key))
            }
            Target::Entry(stream, seq) => format!(
                "UPDATE stream_entry SET data = x'00' || substr(data, 2) WHERE id = \
                 ((SELECT no FROM stream WHERE kind = '{}' AND id = '{}') << 32) + {}",
                stream.kind,
                stream.id(),
                seq.0
            ),
        };
        let mut file = SqliteConnectOptions::new().filename(self.file()).connect().await.unwrap();
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut file).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "nothing was damaged");
        file.close().await.unwrap();
        Ok(true)
    }

    async fn open_copy(&self, at: &Path) -> Result<Arc<dyn Backend>> {
        Ok(Arc::new(Sqlite::open(at, &OpenOptions::existing(), &RandomIds).await?))
    }
}

impl Folder {
    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("state.db")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_every_case() {
    let report = run_all(Arc::new(SqliteHarness)).await;
    assert!(report.cases >= 100, "{report}");
    assert_eq!(report.skipped, 0);
    report.assert_passed();
    println!("{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_answers_as_the_model_does_in_a_differential_run() {
    differential(Arc::new(SqliteHarness), seed(), sequences(20), 40).await;
}
