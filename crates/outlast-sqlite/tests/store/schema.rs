//! Migrations: up, down, half way, twice at once, and made by another text.

use outlast_core::{Backend, ErrorKind, OpenOptions, RandomIds, Upgrade};
use outlast_sqlite::Sqlite;
use outlast_sqlite::schema::{Loss, Migration, Schema};

use crate::house::{FIRST, House, SECOND, apply, assert_whole, key, live, put};

const NEXT: Migration = Migration {
    version: 3,
    name: "notes",
    up: "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT); \
         ALTER TABLE stream ADD COLUMN colour TEXT;",
    down: "DROP TABLE note; ALTER TABLE stream DROP COLUMN colour;",
};

const BROKEN: Migration = Migration {
    version: 3,
    name: "broken",
    up: "CREATE TABLE half (id INTEGER PRIMARY KEY); INSERT INTO nowhere VALUES (1);",
    down: "DROP TABLE half;",
};

fn longer() -> Schema {
    Schema::of([FIRST, SECOND, NEXT])
}

async fn open_with(
    house: &House,
    schema: &Schema,
    upgrade: Upgrade,
) -> outlast_core::Result<Sqlite> {
    let options = OpenOptions { upgrade, ..OpenOptions::default() };
    Sqlite::open_with(schema, &house.file(), &options, &RandomIds).await
}

#[tokio::test]
async fn a_new_store_has_the_latest_layout() {
    let house = House::new();
    house.open().await.close().await.unwrap();
    let status = Schema::released().status(&house.file()).await.unwrap();
    assert_eq!((status.current, status.latest), (2, 2));
    assert_eq!(status.applied.len(), 2);
    assert_eq!(status.applied[0].checksum, FIRST.checksum());
    assert_eq!(status.applied[1].checksum, SECOND.checksum());
    assert!(status.pending.is_empty());
}

#[tokio::test]
async fn an_upgrade_keeps_what_there_is() {
    let house = House::new();
    let store = house.open().await;
    apply(&store, [put(&key("item", "a"), "1")]).await;
    store.close().await.unwrap();
    let refused = open_with(&house, &longer(), Upgrade::Refuse).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Incompatible);
    assert!(refused.to_string().contains("outlast schema upgrade"), "{refused}");
    assert_eq!(longer().status(&house.file()).await.unwrap().pending, [NEXT]);
    let store = open_with(&house, &longer(), Upgrade::Auto).await.unwrap();
    assert_eq!(store.info().schema_version, 3);
    assert_eq!(live(&store, &key("item", "a")).await.unwrap().1, "1");
    assert_whole(&store).await;
    store.close().await.unwrap();
    assert_eq!(longer().status(&house.file()).await.unwrap().current, 3);
}

/// I15 in ARCHITECTURE.md.
#[tokio::test]
async fn a_newer_layout_is_refused() {
    let house = House::new();
    open_with(&house, &longer(), Upgrade::Auto).await.unwrap().close().await.unwrap();
    let before = std::fs::read(house.file()).unwrap();
    for options in [OpenOptions::default(), OpenOptions::read_only()] {
        let refused = Sqlite::open(&house.file(), &options, &RandomIds).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Incompatible);
    }
    let refused = Schema::released().up(&house.file()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Incompatible);
    assert_eq!(std::fs::read(house.file()).unwrap(), before);
    assert_eq!(house.names(), ["state.db", "state.db-mark"]);
}

#[tokio::test]
async fn a_migration_that_fails_half_way_leaves_the_old_layout() {
    let house = House::new();
    let store = house.open().await;
    apply(&store, [put(&key("item", "a"), "1")]).await;
    store.close().await.unwrap();
    let broken = Schema::of([FIRST, SECOND, BROKEN]);
    assert!(open_with(&house, &broken, Upgrade::Auto).await.is_err());
    assert!(broken.up(&house.file()).await.is_err());
    assert_eq!(Schema::released().status(&house.file()).await.unwrap().current, 2);
    let left = house.sql("SELECT 1 FROM sqlite_schema WHERE name = 'half'").await;
    assert!(left.is_empty());
    let store = house.open().await;
    assert_eq!(live(&store, &key("item", "a")).await.unwrap().1, "1");
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_birth_that_fails_leaves_nothing() {
    let house = House::new();
    let broken = Schema::of([FIRST, SECOND, BROKEN]);
    assert!(open_with(&house, &broken, Upgrade::Auto).await.is_err());
    assert_eq!(house.names(), Vec::<String>::new());
}

/// I15 in ARCHITECTURE.md.
#[tokio::test(flavor = "multi_thread")]
async fn of_openers_at_once_one_migrates() {
    let house = House::new();
    house.open().await.close().await.unwrap();
    let openings: Vec<_> = (0..6)
        .map(|_| {
            let file = house.file();
            tokio::spawn(async move {
                let options = OpenOptions::default();
                Sqlite::open_with(&longer(), &file, &options, &RandomIds).await.unwrap()
            })
        })
        .collect();
    for opening in openings {
        opening.await.unwrap().close().await.unwrap();
    }
    let status = longer().status(&house.file()).await.unwrap();
    assert_eq!((status.current, status.applied.len()), (3, 3));
}

#[tokio::test]
async fn down_says_what_it_drops_and_can_be_undone() {
    let house = House::new();
    let store = open_with(&house, &longer(), Upgrade::Auto).await.unwrap();
    apply(&store, [put(&key("item", "a"), "1")]).await;
    apply(&store, [crate::house::append(&key("log", "l"), &[b"x"])]).await;
    store.close().await.unwrap();
    house.sql("INSERT INTO note (text) VALUES ('one'), ('two')").await;
    let losses = longer().losses(&house.file(), 2).await.unwrap();
    let lost = |what: &str, rows| Loss { what: what.to_owned(), rows };
    assert_eq!(losses, [lost("note", 2), lost("stream.colour", 1)]);
    assert_eq!(longer().status(&house.file()).await.unwrap().current, 3, "asking changed it");
    let status = longer().down(&house.file(), 2).await.unwrap();
    assert_eq!((status.current, status.pending.len()), (2, 1));
    let store = house.open().await;
    assert_eq!(live(&store, &key("item", "a")).await.unwrap().1, "1");
    store.close().await.unwrap();
    let above = longer().down(&house.file(), 3).await.unwrap_err();
    assert_eq!(above.kind(), ErrorKind::Invalid);
    assert_eq!(longer().up(&house.file()).await.unwrap().current, 3);
}

#[tokio::test]
async fn down_to_nothing_and_up_again_is_an_empty_store() {
    let house = House::new();
    let store = house.open().await;
    apply(&store, [put(&key("item", "a"), "1")]).await;
    store.close().await.unwrap();
    let schema = Schema::released();
    assert!(schema.losses(&house.file(), 0).await.unwrap().len() >= 8);
    assert_eq!(schema.down(&house.file(), 0).await.unwrap().current, 0);
    let left = house.sql("SELECT name FROM sqlite_schema WHERE name NOT LIKE '%schema%'").await;
    assert!(left.is_empty(), "{} objects are left", left.len());
    let store = house.open().await;
    assert_eq!(live(&store, &key("item", "a")).await, None);
    apply(&store, [put(&key("item", "a"), "2")]).await;
    assert_whole(&store).await;
}

#[tokio::test]
async fn another_text_under_the_same_number_is_refused() {
    let house = House::new();
    house.open().await.close().await.unwrap();
    let changed = Migration { down: "SELECT 1;", ..FIRST };
    let changed = Schema::of([changed, SECOND]);
    let refused = open_with(&house, &changed, Upgrade::Auto).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Incompatible);
    assert!(refused.to_string().contains("migration 1"), "{refused}");
}
