//! The promises that hold across engines, each by its number in ARCHITECTURE.md. Those of one
//! engine are tested with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commits;
mod content;
mod time;

use outlast::{OpenOptions, Store, StoreOptions};
use tempfile::TempDir;

pub(crate) const BACKENDS: [&str; 3] = ["memory", "sqlite", "sled"];

/// A fresh store, and the folder it lives in.
pub(crate) async fn fresh(backend: &str, options: StoreOptions) -> (Store, TempDir) {
    let dir = TempDir::new().unwrap();
    let location = location(backend, &dir);
    let store = outlast::open_with(&location, OpenOptions::default(), options).await.unwrap();
    (store, dir)
}

pub(crate) fn location(backend: &str, dir: &TempDir) -> String {
    match backend {
        "memory" => "memory:".to_owned(),
        scheme => format!("{scheme}:{}", dir.path().join("state").display()),
    }
}
