//! The file under another name, and another file under its name.

use std::os::unix::fs::{PermissionsExt, symlink};

use outlast_core::{Admin, Backend, ErrorKind, OpenOptions, RandomIds};
use outlast_sqlite::Sqlite;
use outlast_sqlite::schema::{Migration, Schema};

use crate::house::{FIRST, House, SECOND, apply, assert_whole, batch, key, live, put, send};

#[tokio::test]
async fn a_file_that_was_replaced_is_neither_read_nor_written() {
    let house = House::new();
    let store = house.open().await;
    let item = key("item", "a");
    apply(&store, [put(&item, "1")]).await;
    store.backup(&house.path("copy.db")).await.unwrap();
    apply(&store, [put(&item, "2")]).await;
    std::fs::rename(house.path("copy.db"), house.file()).unwrap();
    let refused = send(&store, &batch([put(&item, "3")])).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Poisoned, "{refused}");
    let refused = store.get(std::slice::from_ref(&item)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Poisoned, "{refused}");
    drop(store.close().await);
    // It had come further than the copy; who means that removes what says so.
    std::fs::remove_file(house.path("state.db-mark")).unwrap_or_default();
    let store = house.open().await;
    assert_eq!(live(&store, &item).await.unwrap().1, "1");
    apply(&store, [put(&item, "4")]).await;
    assert_whole(&store).await;
}

#[tokio::test]
async fn a_file_that_was_removed_takes_no_more_commits() {
    let house = House::new();
    let store = house.open().await;
    let item = key("item", "a");
    apply(&store, [put(&item, "1")]).await;
    std::fs::remove_file(house.file()).unwrap();
    let refused = send(&store, &batch([put(&item, "2")])).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Poisoned, "{refused}");
}

#[tokio::test]
async fn a_link_leads_to_the_file_and_its_log() {
    let house = House::new();
    let store = house.open().await;
    let item = key("item", "a");
    apply(&store, [put(&item, "1")]).await;
    std::fs::create_dir(house.path("elsewhere")).unwrap();
    let link = house.path("elsewhere").join("link.db");
    symlink(house.file(), &link).unwrap();
    for options in [OpenOptions::default(), OpenOptions::read_only()] {
        let linked = Sqlite::open(&link, &options, &RandomIds).await.unwrap();
        assert_eq!(live(&linked, &item).await.unwrap().1, "1");
        assert_eq!(linked.size().await.unwrap(), store.size().await.unwrap());
        linked.close().await.unwrap();
    }
    assert_eq!(std::fs::read_dir(house.path("elsewhere")).unwrap().count(), 1);
    store.close().await.unwrap();
}

#[tokio::test]
async fn files_beside_the_store_are_for_its_owner_alone() {
    let house = House::new();
    let store = house.open().await;
    apply(&store, [put(&key("item", "a"), "1")]).await;
    for name in house.names() {
        let mode = std::fs::metadata(house.path(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(house.names(), ["state.db", "state.db-shm", "state.db-wal"]);
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_an_interrupted_birth_left_is_never_mistaken_for_a_store() {
    let house = House::new();
    std::fs::write(house.path(".state.db.1.new"), b"half").unwrap();
    std::fs::write(house.path(".state.db.1.new-wal"), b"half").unwrap();
    let store = house.open().await;
    apply(&store, [put(&key("item", "a"), "1")]).await;
    assert_whole(&store).await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_layout_that_is_changed_while_open_takes_no_more_commits() {
    let house = House::new();
    let store = house.open().await;
    let item = key("item", "a");
    apply(&store, [put(&item, "1")]).await;
    let next = Migration {
        version: 3,
        name: "next",
        up: "ALTER TABLE meta ADD COLUMN more TEXT",
        down: "ALTER TABLE meta DROP COLUMN more",
    };
    let longer = Schema::of([FIRST, SECOND, next]);
    longer.up(&house.file()).await.unwrap();
    for _ in 0..2 {
        let refused = send(&store, &batch([put(&item, "2")])).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Incompatible, "{refused}");
    }
    longer.down(&house.file(), 2).await.unwrap();
    apply(&store, [put(&item, "2")]).await;
}
