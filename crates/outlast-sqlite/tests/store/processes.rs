//! Several stores on one file, as several processes have it.

use outlast_core::{Actor, Batch, Cause, ErrorKind, Expect, Json, Op, OpenOptions, Outcome, Put};
use outlast_core::{Attributes, Backend, PlanContext, RandomIds, Written, plan, read_set};
use outlast_sqlite::Sqlite;
use std::time::Duration;

use crate::house::{
    House, append, apply, assert_whole, batch, commit_id, key, live, put, send, slot,
};

async fn increment(store: &Sqlite) {
    let counter = key("counter", "c");
    loop {
        let found = live(store, &counter).await;
        let (expect, next) = match found {
            Some((version, state)) => (Expect::At(version), state.parse::<u64>().unwrap() + 1),
            None => (Expect::Absent, 1),
        };
        let state = Json::parse(&next.to_string()).unwrap();
        let put = Put { key: counter.clone(), expect, schema: 1, attrs: Attributes::new(), state };
        let cause = Cause::by(Actor::System);
        let batch = Batch::new(commit_id(), cause).with(Op::Put(put));
        if let Outcome::Applied(_) = send(store, &batch).await.unwrap() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_update_of_two_writers_is_lost() {
    const EACH: u64 = 40;
    let house = House::new();
    let stores = [house.open().await, house.open().await, house.open().await];
    let tasks: Vec<_> = stores
        .into_iter()
        .map(|store| {
            tokio::spawn(async move {
                for _ in 0..EACH {
                    increment(&store).await;
                }
                store.close().await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let store = house.open().await;
    let (version, state) = live(&store, &key("counter", "c")).await.unwrap();
    assert_eq!((version.n, state), (3 * EACH, (3 * EACH).to_string()));
    assert_whole(&store).await;
}

#[tokio::test]
async fn a_plan_made_before_another_commit_is_raced() {
    let house = House::new();
    let (one, two) = (house.open().await, house.open().await);
    let (item, log) = (key("item", "a"), key("log", "l"));
    apply(&one, [put(&item, "0"), append(&log, &[b"first"])]).await;
    let late = batch([put(&item, "1"), append(&log, &[b"late"])]);
    let view = one.fetch(&read_set([&late])).await.unwrap();
    let context = PlanContext {
        now: outlast_core::Timestamp::from_micros(0),
        epoch: one.info().epoch,
        durability: one.info().durability,
    };
    let planned = plan(view, [&late], &context);
    apply(&two, [put(&key("item", "b"), "2")]).await;
    let before = one.size_of_feed().await;
    assert_eq!(one.write(&planned.set).await.unwrap(), Written::Raced);
    assert_eq!(one.write(&planned.set).await.unwrap(), Written::Raced, "without a fetch");
    assert_eq!(one.size_of_feed().await, before);
    assert_eq!(live(&one, &item).await.unwrap().1, "0");
    assert_whole(&one).await;
}

trait Feed {
    async fn size_of_feed(&self) -> usize;
}

impl Feed for Sqlite {
    async fn size_of_feed(&self) -> usize {
        self.changes(outlast_core::Revision::ZERO, 1000).await.unwrap().items.len()
    }
}

#[tokio::test]
async fn a_prune_by_another_process_is_noticed() {
    let house = House::new();
    let (one, two) = (house.open().await, house.open().await);
    let item = key("item", "a");
    apply(&one, [put(&item, "0")]).await;
    apply(&one, [Op::Delete { key: item.clone(), expect: Expect::Live }]).await;
    let outlast_core::Slot::Tombstone { version, .. } = slot(&one, &item).await else {
        panic!("no tombstone")
    };
    let next = batch([put(&item, "1")]);
    let view = one.fetch(&read_set([&next])).await.unwrap();
    let context = PlanContext {
        now: outlast_core::Timestamp::from_micros(0),
        epoch: one.info().epoch,
        durability: one.info().durability,
    };
    let planned = plan(view, [&next], &context);
    let items = vec![outlast_core::Prune::Tombstone { key: item.clone(), version }];
    let pruned = two.prune(&outlast_core::PrunePlan { items }, 100).await.unwrap();
    assert!(pruned.done);
    assert_eq!(one.write(&planned.set).await.unwrap(), Written::Raced);
    apply(&one, [put(&item, "1")]).await;
    assert_eq!(live(&one, &item).await.unwrap().0.n, 1, "a pruned entity begins anew");
    assert_whole(&one).await;
}

#[tokio::test]
async fn a_writer_that_waits_too_long_is_busy_and_recovers() {
    let house = House::new();
    let busy_timeout = Duration::from_millis(50);
    let options = OpenOptions { busy_timeout, ..OpenOptions::default() };
    let store = Sqlite::open(&house.file(), &options, &RandomIds).await.unwrap();
    let item = key("item", "a");
    apply(&store, [put(&item, "0")]).await;
    let mut holder = house.foreign().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut holder).await.unwrap();
    let refused = send(&store, &batch([put(&item, "1")])).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    assert!(refused.is_retryable());
    assert_eq!(live(&store, &item).await.unwrap().1, "0", "reads go on");
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    apply(&store, [put(&item, "1")]).await;
    assert_whole(&store).await;
}
