//! From any backend to any: each hands on what it was given, to the letter.

use crate::content::revision;
use crate::opened::{BACKENDS, open};
use crate::random::{fill, seed};
use crate::{body, exported, imported};

/// Fills a store and passes its content from backend to backend.
async fn hand_on(route: [&str; 7]) {
    let folder = tempfile::tempdir().unwrap();
    let first = open(route[0], &folder.path().join("0")).await;
    fill(&first, seed(), 120).await;
    let mut lines = exported(&first).await;
    first.close().await.unwrap();
    for (n, backend) in route.into_iter().enumerate().skip(1) {
        let store = open(backend, &folder.path().join(n.to_string())).await;
        let report = imported(&store, &lines).await.unwrap();
        assert_eq!(report.diverged, 0, "{backend}: {:?}", report.divergences);
        let next = exported(&store).await;
        assert_eq!(body(&next), body(&lines), "step {n}, {backend}");
        let before = revision(&store).await;
        imported(&store, &lines).await.unwrap();
        assert_eq!(revision(&store).await, before, "{backend} changes nothing the second time");
        let found = store.verify().await.unwrap();
        assert_eq!(found.damaged, 0, "{backend}: {:?}", found.damages);
        store.close().await.unwrap();
        lines = next;
    }
}

#[tokio::test]
async fn every_backend_hands_on_what_memory_held() {
    let [memory, sqlite, sled] = BACKENDS;
    hand_on([memory, sqlite, sled, memory, sled, sqlite, memory]).await;
}

#[tokio::test]
async fn every_backend_hands_on_what_sqlite_held() {
    let [memory, sqlite, sled] = BACKENDS;
    hand_on([sqlite, sled, sled, memory, sqlite, sqlite, sled]).await;
}

#[tokio::test]
async fn every_backend_hands_on_what_sled_held() {
    let [memory, sqlite, sled] = BACKENDS;
    hand_on([sled, memory, memory, sqlite, sled, sqlite, memory]).await;
}
