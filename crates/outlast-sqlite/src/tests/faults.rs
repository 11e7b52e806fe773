//! Disks that are full and statements that fail.

use outlast_core::{Backend, ErrorKind};

use super::{append, batch, key, open, put, send};
use crate::script::Script;

/// Lets the file of the connection that writes grow by no page more.
async fn fill_disk(store: &crate::Sqlite) {
    let mut writer = store.connections.writer().await.unwrap();
    let mut script = Script::new();
    script.sql("PRAGMA max_page_count = 1").end();
    assert!(script.run(&mut writer).await.unwrap().is_ok());
    writer.keep();
}

#[tokio::test]
async fn a_full_disk_refuses_writes_whole_and_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (item, log) = (key("item", "a"), key("log", "l"));
    send(&store, &batch([put(&item, "1", 1), append(&log, b"x")])).await.unwrap();
    let large = format!("{:?}", "x".repeat(200_000));
    for _ in 0..3 {
        fill_disk(&store).await;
        let full = batch([put(&item, &large, 2), append(&log, large.as_bytes())]);
        let refused = send(&store, &full).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::StorageFull, "{refused:?}");
        let slots = store.get(std::slice::from_ref(&item)).await.unwrap();
        let record = slots[0].clone().live().unwrap().unwrap();
        assert_eq!((record.version.n, record.state.as_str()), (1, "1"), "reads go on");
    }
    send(&store, &batch([put(&item, &large, 2), append(&log, b"y")])).await.unwrap();
    assert_eq!(store.verify_all().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn a_failed_disk_refuses_every_write_until_reopened() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let item = key("item", "a");
    send(&store, &batch([put(&item, "1", 1)])).await.unwrap();
    store.connections.poison();
    for _ in 0..2 {
        let refused = send(&store, &batch([put(&item, "2", 1)])).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Poisoned);
        assert!(!refused.is_retryable());
    }
    assert_eq!(store.sync().await.unwrap_err().kind(), ErrorKind::Poisoned);
    assert!(store.get(std::slice::from_ref(&item)).await.is_ok(), "reads go on");
    store.close().await.unwrap();
    assert_eq!(store.sync().await.unwrap_err().kind(), ErrorKind::Closed);
    let store = open(folder.path()).await;
    send(&store, &batch([put(&item, "2", 1)])).await.unwrap();
}

#[tokio::test]
async fn a_failed_statement_leaves_no_transaction_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let item = key("item", "a");
    for _ in 0..3 {
        let mut writer = store.connections.writer().await.unwrap();
        let mut script = Script::new();
        script.sql("BEGIN IMMEDIATE").end().sql("DELETE FROM meta").end();
        script.sql("INSERT INTO nowhere VALUES (1)").end().sql("COMMIT").end();
        let failed = store.run_write(&mut writer, script).await.map(|_| ()).unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Internal);
        drop(writer);
        send(&store, &batch([put(&item, "1", 1)])).await.unwrap();
    }
    assert_eq!(store.verify_all().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn values_that_are_missing_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let mut script = Script::new();
    script.sql("SELECT ?").end();
    let refused = store.connections.read(script).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Internal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_dropped_ends() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    send(&store, &batch([put(&key("item", "a"), "1", 1)])).await.unwrap();
    // More than there are readers, each of which would hold on to the log for ever.
    for _ in 0..6 {
        let mut script = Script::new();
        script
            .sql(
                "WITH RECURSIVE endless(n) AS (SELECT generation FROM meta UNION ALL \
                 SELECT n + 1 FROM endless) SELECT count(*) FROM endless",
            )
            .end();
        let read = store.connections.read(script);
        let ended = tokio::time::timeout(std::time::Duration::from_millis(50), read).await;
        assert!(ended.is_err(), "it ended by itself");
    }
    send(&store, &batch([put(&key("item", "a"), "2", 1)])).await.unwrap();
    store.close().await.unwrap();
    assert!(!folder.path().join("state.db-wal").exists(), "a dropped read goes on");
}

#[tokio::test]
async fn the_log_is_copied_beside_the_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let large = format!("{:?}", "x".repeat(400_000));
    for n in 0..40 {
        send(&store, &batch([put(&key("item", &n.to_string()), &large, n)])).await.unwrap();
    }
    store.connections.checkpoints.close().await;
    let copied = std::fs::metadata(folder.path().join("state.db")).unwrap().len();
    assert!(!cfg!(target_os = "linux") || copied > 4 << 20, "{copied} bytes are in the file");
    send(&store, &batch([put(&key("item", "0"), "1", 0)])).await.unwrap();
    store.close().await.unwrap();
    assert!(!folder.path().join("state.db-wal").exists());
    assert_eq!(open(folder.path()).await.verify_all().await.unwrap().damaged, 0);
}
