//! The sled store keeps everything that every backend has to keep.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outlast_conformance::{Harness, Site, Target, differential, run_all, seed, sequences};
use outlast_core::{Backend, Error, Key, OpenOptions, RandomIds, Result};
use outlast_sled::Sled;
use tempfile::TempDir;

struct SledHarness;

struct Folder(TempDir);

#[async_trait]
impl Harness for SledHarness {
    fn name(&self) -> String {
        "sled".to_owned()
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
        Ok(Arc::new(Sled::open(&self.path(), options, &RandomIds).await?))
    }

    async fn damage(&self, target: &Target) -> Result<bool> {
        // Rot in the files is told by the seal; this is about what a seal does not cover.
        std::fs::remove_file(self.path().join("SEAL")).unwrap();
        let (table, prefix, number) = match target {
            Target::Head(key) => ("history", beneath(key), None),
            Target::Version(key, n) => ("history", beneath(key), Some(*n)),
            Target::Entry(stream, seq) => ("entries", beneath(stream), Some(seq.0)),
        };
        let db = sled::open(self.path()).unwrap();
        let tree = db.open_tree(table).unwrap();
        let wanted = |key: &[u8]| number.is_none_or(|n: u64| key.ends_with(&n.to_be_bytes()));
        let rows = tree.scan_prefix(prefix).map(std::result::Result::unwrap);
        let (key, row) = rows.filter(|(key, _)| wanted(key)).last().unwrap();
        let mut bytes = row.to_vec();
        let middle = bytes.len() / 2;
        *bytes.get_mut(middle).unwrap() ^= 1;
        tree.insert(key, bytes).unwrap();
        db.flush().unwrap();
        Ok(true)
    }
}

impl Folder {
    fn path(&self) -> PathBuf {
        self.0.path().join("state")
    }
}

/// How the keys of everything beneath an entity or a stream begin.
fn beneath(key: &Key) -> Vec<u8> {
    let space = key.space.0.to_be_bytes();
    [key.kind.as_str().as_bytes(), b"\0", &space, key.id().as_bytes(), b"\0"].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn sled_keeps_every_case() {
    let report = run_all(Arc::new(SledHarness)).await;
    assert!(report.cases >= 100, "{report}");
    assert_eq!(report.skipped, 0);
    report.assert_passed();
    println!("{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sled_agrees_with_the_model_in_a_differential_run() {
    let seed = seed();
    println!("seed {seed}");
    let run = differential(Arc::new(SledHarness), seed, sequences(60), 40);
    tokio::time::timeout(Duration::from_mins(10), run).await.unwrap();
}
