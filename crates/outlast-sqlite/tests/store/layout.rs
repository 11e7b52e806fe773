//! Commits that are laid out in an unusual way are read back as they were written.

use outlast_core::{
    Backend, Epoch, Expect, HistoryQuery, Op, Outcome, Prune, PrunePlan, Revision, Scope, Seq,
    Slot, Version, Versioned,
};
use outlast_sqlite::Sqlite;

use crate::house::{House, append, apply, assert_whole, attempt, attrs, batch, key, put, put_with};
use crate::house::{send, slot};

async fn chain(store: &Sqlite, id: &str) -> Vec<Versioned> {
    let mut query = HistoryQuery::of(Scope::Entity(key("item", id)));
    query.page.limit = 2;
    let mut found = Vec::new();
    loop {
        let page = store.history(&query).await.unwrap();
        found.extend(page.items.into_iter().map(Result::unwrap));
        let Some(next) = page.next else { return found };
        query.page = query.page.after(next);
    }
}

fn numbers(versions: &[Versioned]) -> Vec<u64> {
    versions.iter().map(|version| version.version.n).collect()
}

/// The versions of one entity as another store wrote them.
async fn elsewhere(count: i64) -> Vec<Versioned> {
    let house = House::new();
    let store = house.open().await;
    for n in 0..count {
        let attrs = attrs(&[("n", n.into())]);
        apply(&store, [put_with(&key("item", "a"), &n.to_string(), attrs)]).await;
    }
    chain(&store, "a").await
}

fn merge(versions: &[Versioned], newest: usize, older: &[usize]) -> Op {
    let history = older.iter().map(|at| versions[*at].clone()).collect();
    Op::MergeRecord { record: Box::new(versions[newest].clone()), history }
}

#[tokio::test]
async fn merges_in_any_order_give_one_chain() {
    let versions = elsewhere(8).await;
    let orders: [&[(usize, &[usize])]; 4] = [
        &[(7, &[0, 1, 2, 3, 4, 5, 6])],
        &[(7, &[]), (3, &[1]), (6, &[5, 0]), (7, &[2, 4])],
        &[(0, &[]), (4, &[2]), (7, &[6, 5]), (3, &[1])],
        &[(7, &[6, 3]), (5, &[4, 2, 1, 0])],
    ];
    for order in orders {
        let house = House::new();
        let store = house.open().await;
        for (newest, older) in order {
            apply(&store, [merge(&versions, *newest, older)]).await;
        }
        let found = chain(&store, "a").await;
        assert_eq!(numbers(&found), [1, 2, 3, 4, 5, 6, 7, 8], "{order:?}");
        for (found, sent) in found.iter().zip(&versions) {
            assert_eq!(found.checksum(), sent.checksum());
        }
        assert_whole(&store).await;
        apply(&store, [put(&key("item", "a"), "8")]).await;
        assert_eq!(numbers(&chain(&store, "a").await).last(), Some(&9));
        assert_whole(&store).await;
    }
}

#[tokio::test]
async fn a_merge_and_its_later_versions_fit_one_group() {
    let versions = elsewhere(4).await;
    let house = House::new();
    let store = house.open().await;
    let first = batch([merge(&versions, 2, &[0]), append(&key("log", "l"), &[b"1"])]);
    let second = batch([put(&key("item", "a"), "9"), append(&key("log", "l"), &[b"2"])]);
    let third = batch([Op::Delete { key: key("item", "a"), expect: Expect::Live }]);
    let group = [&first, &second, &third];
    let view = store.fetch(&outlast_core::read_set(group)).await.unwrap();
    let context = outlast_core::PlanContext {
        now: outlast_core::Timestamp::from_micros(0),
        epoch: Epoch(1),
        durability: store.info().durability,
    };
    let planned = outlast_core::plan(view, group, &context);
    store.write(&planned.set).await.unwrap();
    let found = chain(&store, "a").await;
    assert_eq!(numbers(&found), [1, 3, 4, 5]);
    assert!(matches!(slot(&store, &key("item", "a")).await, Slot::Tombstone { .. }));
    let feed = store.changes(Revision::ZERO, 10).await.unwrap().items;
    assert_eq!(feed.iter().map(|change| change.revision.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(feed[0].commit, first.id);
    assert_eq!(feed[1].appended, [(key("log", "l"), Seq(2), Seq(2))]);
    assert_whole(&store).await;
}

#[tokio::test]
async fn a_large_group_is_cut_into_statements() {
    let house = House::new();
    let store = house.open().await;
    let ops = (0..1000).map(|n| {
        let attrs = attrs(&[("n", n.into()), ("status", "new".into()), ("group", "g".into())]);
        put_with(&key("item", &n.to_string()), "{}", attrs)
    });
    apply(&store, ops).await;
    let entries: Vec<Vec<u8>> = (0..3000_u32).map(|n| n.to_be_bytes().to_vec()).collect();
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    apply(&store, [append(&key("log", "l"), &entries)]).await;
    let ops = (0..1000).map(|n| {
        let key = key("item", &n.to_string());
        Op::Delete { key, expect: Expect::Live }
    });
    apply(&store, ops).await;
    assert_eq!(store.count(&items(), &[]).await.unwrap().total, 0);
    assert_whole(&store).await;
}

fn items() -> outlast_core::Query {
    outlast_core::Query::of(outlast_core::Kind::new("item").unwrap())
}

#[tokio::test]
async fn a_pruned_commit_is_remembered_for_its_retries() {
    let house = House::new();
    let store = house.open().await;
    let item = key("item", "a");
    let first = batch([put(&item, "1"), put(&key("item", "b"), "1")]);
    let Outcome::Applied(receipt) = send(&store, &first).await.unwrap() else { panic!() };
    apply(&store, [put(&item, "2")]).await;
    let items = vec![Prune::History { key: item, below: 2 }];
    assert!(store.prune(&PrunePlan { items }, 100).await.unwrap().done);
    match attempt(&store, &first).await.unwrap().unwrap() {
        Outcome::Replayed(again) => {
            assert_eq!((again.versions, again.revision), (receipt.versions, receipt.revision));
        }
        other => panic!("{other:?}"),
    }
    assert_whole(&store).await;
}

#[tokio::test]
async fn revisions_go_on_after_the_last_commit_was_pruned() {
    let house = House::new();
    let store = house.open().await;
    let item = key("item", "a");
    apply(&store, [put(&item, "1")]).await;
    apply(&store, [Op::Delete { key: item.clone(), expect: Expect::Live }]).await;
    let items = vec![Prune::Tombstone { key: item.clone(), version: Version::new(Epoch(1), 2) }];
    let pruned = store.prune(&PrunePlan { items }, 1).await.unwrap();
    assert!(!pruned.done);
    let items = vec![Prune::Tombstone { key: item.clone(), version: Version::new(Epoch(1), 2) }];
    while !store.prune(&PrunePlan { items: items.clone() }, 1).await.unwrap().done {}
    assert_eq!(slot(&store, &item).await, Slot::Vacant);
    store.close().await.unwrap();
    let store = house.open().await;
    let receipt = apply(&store, [put(&item, "1")]).await;
    assert_eq!((receipt.revision.0, receipt.versions[0].1.n), (3, 1));
    let compacted = store.changes(Revision(1), 10).await.unwrap_err();
    assert_eq!(compacted.kind(), outlast_core::ErrorKind::Compacted);
    assert_eq!(store.changes(Revision(2), 10).await.unwrap().items.len(), 1);
    assert_whole(&store).await;
}

#[tokio::test]
async fn a_chain_stays_whole_after_every_slice() {
    let house = House::new();
    let store = house.open().await;
    let item = key("item", "a");
    for n in 0..30 {
        apply(&store, [put(&item, &n.to_string())]).await;
    }
    let items = vec![Prune::History { key: item, below: 25 }];
    let plan = PrunePlan { items };
    let mut rows = 0;
    loop {
        let pruned = store.prune(&plan, 7).await.unwrap();
        assert!(pruned.rows <= 7);
        rows += pruned.rows;
        assert_whole(&store).await;
        let found = numbers(&chain(&store, "a").await);
        assert_eq!(found.len() as u64, 30 - rows);
        assert_eq!(&found[found.len() - 6..], [25, 26, 27, 28, 29, 30]);
        if pruned.done {
            break;
        }
    }
    assert_eq!(rows, 24);
}
