//! Export to JSON lines and import from them, over the volatile backend.

#![cfg(feature = "transfer")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod backends;
mod content;
mod file;
mod forged;
mod format;
mod hostile;
mod meanwhile;
mod merge;
#[path = "../support/opened.rs"]
mod opened;
mod random;
mod roundtrip;

use std::io::Cursor;

use outlast_core::{Error, Result};
use outlast_orchestrator::transfer::{Imported, export, import};
use outlast_store::Store;

use opened::memory as store;

async fn exported(store: &Store) -> String {
    let mut lines = Vec::new();
    export(store, &mut lines, &mut |_| {}).await.unwrap();
    String::from_utf8(lines).unwrap()
}

async fn imported(store: &Store, lines: &str) -> Result<Imported, Error> {
    import(store, Cursor::new(lines.as_bytes().to_vec()), &mut |_| {}).await
}

/// Everything but the line that says where it came from.
fn body(lines: &str) -> &str {
    lines.split_once('\n').unwrap().1
}
