//! A file of the first layout gets the views, and loses nothing on the way up or down.

use std::sync::Arc;

use outlast_core::{Agent, Backend, OpenOptions, RandomIds, Upgrade, WindowKind};
use outlast_sqlite::Sqlite;
use outlast_sqlite::schema::Schema;

use super::swarm::{agent, swarm};
use super::windows::{add_item, window};
use super::{assert_row, create, over};
use crate::house::{FIRST, House, assert_whole};
use crate::views::table;

#[tokio::test]
async fn what_the_first_layout_wrote_is_shown_after_the_upgrade() {
    let house = House::new();
    let options = OpenOptions::default();
    let old =
        Sqlite::open_with(&Schema::of([FIRST]), &house.file(), &options, &RandomIds).await.unwrap();
    let store = over(Arc::new(old));
    create(&store, "s1", &swarm()).await;
    create(&store, "a1", &agent(Some("s1"))).await;
    create(&store, "w1", &window(WindowKind::Batch)).await;
    add_item(&store, "w1", 1, &["a1"]).await;
    store.close().await.unwrap();
    let refuse = OpenOptions { upgrade: Upgrade::Refuse, ..options };
    Sqlite::open(&house.file(), &refuse, &RandomIds).await.unwrap_err();

    let new = house.open().await;
    assert_eq!(new.info().schema_version, 2);
    assert_whole(&new).await;
    let store = over(Arc::new(new));
    assert_row(&house, "swarm_states", &[("id", "s1"), ("agents", "[\"a1\"]")]).await;
    assert_row(&house, "logic_operation_state", &[("artifact_ids", "[\"a1\"]")]).await;
    let kept = store.kind::<Agent>().get("a1").await.unwrap();
    assert_eq!(*kept, agent(Some("s1")));
    let audited = table(&house, "SELECT count(*) FROM state_audit_log").await;
    store.close().await.unwrap();

    assert!(Schema::released().losses(&house.file(), 1).await.unwrap().is_empty());
    Schema::released().down(&house.file(), 1).await.unwrap();
    let views = "SELECT count(*) FROM sqlite_schema WHERE type = 'view'";
    assert_eq!(table(&house, views).await, [["5"]]);
    assert_eq!(table(&house, "SELECT count(*) FROM state_audit_log").await, audited);
    let old =
        Sqlite::open_with(&Schema::of([FIRST]), &house.file(), &options, &RandomIds).await.unwrap();
    assert_whole(&old).await;
}
