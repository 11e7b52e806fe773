//! Walking a listing page by page while others write.

use outlast_core::{Cursor, ErrorKind, Order, Page, Query};

use crate::ops::{delete, int, item, items, name, put, tagged};
use crate::trial::id_of;
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(every_page_size_gives_the_same_walk),
        Case::of(size_of_a_page_is_kept),
        Case::of(empty_kind_is_one_empty_page),
        Case::of(full_last_page_ends_the_walk),
        Case::of(inserts_during_a_walk_disturb_nobody),
        Case::of(deletes_during_a_walk_disturb_nobody),
        Case::of(deleted_cursor_position_still_leads_on),
        Case::of(walk_by_attribute_meets_the_stable_once),
        Case::of(descending_walk_meets_the_stable_once),
        Case::of(page_of_nothing_is_invalid),
        Case::of(page_over_the_limit_is_too_large),
        Case::of(foreign_cursor_is_invalid_or_harmless),
    ]
}

async fn fill(t: &Trial, count: i64) -> Vec<String> {
    let ids: Vec<String> = (0..count).map(|n| format!("k{n:03}")).collect();
    for chunk in ids.chunks(16) {
        // Every seven share a value, so that pages end within ties.
        t.apply(chunk.iter().map(|id| {
            let n: i64 = id[1..].parse().unwrap();
            tagged(&item(id), int("x", n / 7))
        }))
        .await;
    }
    ids
}

async fn every_page_size_gives_the_same_walk(t: Trial) {
    let ids = fill(&t, 50).await;
    for limit in [1, 2, 3, 7, 49, 50, 51, 1000] {
        assert_eq!(t.ids(items(limit)).await, ids, "pages of {limit}");
        let order = Order::Attr(name("x"));
        let query = Query { order, ..items(limit) };
        assert_eq!(t.ids(query.clone()).await, ids, "by value, pages of {limit}");
        let down = t.ids(Query { descending: true, ..query }).await;
        assert!(down.iter().rev().eq(&ids), "descending, pages of {limit}");
    }
}

async fn size_of_a_page_is_kept(t: Trial) {
    fill(&t, 20).await;
    for limit in [1, 3, 19, 20] {
        for order in [Order::Id, Order::Attr(name("x"))] {
            let page = t.store.list(&Query { order, ..items(limit) }).await.unwrap();
            let found = page.items.len();
            assert!(found > 0 && found <= limit as usize, "{found} on a page of {limit}");
            assert!(page.next.is_some() || found == 20);
        }
    }
}

async fn empty_kind_is_one_empty_page(t: Trial) {
    let page = t.store.list(&items(10)).await.unwrap();
    assert_eq!((page.items.len(), page.next), (0, None));
}

async fn full_last_page_ends_the_walk(t: Trial) {
    fill(&t, 20).await;
    assert_eq!(t.ids(items(10)).await.len(), 20);
    assert_eq!(t.ids(items(20)).await.len(), 20);
}

/// Walks, and calls `between` after each page.
async fn walk<F>(t: &Trial, mut query: Query, mut between: impl FnMut(u32) -> F) -> Vec<String>
where
    F: Future<Output = ()>,
{
    let mut met = Vec::new();
    for n in 0.. {
        let page = t.store.list(&query).await.unwrap();
        met.extend(page.items.iter().map(|slot| id_of(slot).to_owned()));
        let Some(next) = page.next else { break };
        query.page = query.page.after(next);
        between(n).await;
        assert!(n < 1000, "the walk does not end");
    }
    met
}

fn each_once(met: &[String], stable: &[String]) {
    for id in stable {
        let times = met.iter().filter(|met| *met == id).count();
        assert_eq!(times, 1, "{id} was met {times} times");
    }
}

async fn inserts_during_a_walk_disturb_nobody(t: Trial) {
    let ids = fill(&t, 40).await;
    let met = walk(&t, items(5), async |n| {
        t.write(put(&item(&format!("k{n:03}-new")), 0)).await;
        t.write(put(&item(&format!("k{:03}-new", 39 - n)), 0)).await;
    })
    .await;
    each_once(&met, &ids);
}

async fn deletes_during_a_walk_disturb_nobody(t: Trial) {
    let ids = fill(&t, 40).await;
    let gone: Vec<String> = ids.iter().step_by(2).cloned().collect();
    let met = walk(&t, items(5), async |n| {
        for id in gone.iter().skip(n as usize * 3).take(3) {
            t.write(delete(&item(id))).await;
        }
    })
    .await;
    let stable: Vec<String> = ids.into_iter().filter(|id| !gone.contains(id)).collect();
    each_once(&met, &stable);
}

async fn deleted_cursor_position_still_leads_on(t: Trial) {
    let ids = fill(&t, 10).await;
    let page = t.store.list(&items(3)).await.unwrap();
    t.write(delete(&item(&ids[2]))).await;
    let query = Query { page: Page { limit: 100, after: page.next }, ..items(3) };
    assert_eq!(t.ids(query).await, ids[3..]);
}

async fn walk_by_attribute_meets_the_stable_once(t: Trial) {
    let ids = fill(&t, 40).await;
    let query = Query { order: Order::Attr(name("x")), ..items(4) };
    let met = walk(&t, query, async |n| {
        t.write(tagged(&item(&format!("k{n:03}-new")), int("x", i64::from(n) / 2))).await;
        t.write(delete(&item(&ids[n as usize]))).await;
    })
    .await;
    each_once(&met, &ids[20..]);
}

async fn descending_walk_meets_the_stable_once(t: Trial) {
    let ids = fill(&t, 40).await;
    let met = walk(&t, Query { descending: true, ..items(4) }, async |n| {
        t.write(put(&item(&format!("k{:03}-new", 2 * n)), 0)).await;
        t.write(delete(&item(&ids[n as usize]))).await;
    })
    .await;
    each_once(&met, &ids[20..]);
    assert!(met.is_sorted_by(|a, b| a > b), "a descending walk went up");
}

async fn page_of_nothing_is_invalid(t: Trial) {
    let kind = |result: outlast_core::Result<()>| result.unwrap_err().kind();
    let none = items(0);
    assert_eq!(kind(t.store.list(&none).await.map(drop)), ErrorKind::Invalid);
    let changes = t.store.changes(outlast_core::Revision::ZERO, 0).await;
    assert_eq!(kind(changes.map(drop)), ErrorKind::Invalid);
    let streams = t.store.streams(&none.kind, &none.page).await;
    assert_eq!(kind(streams.map(drop)), ErrorKind::Invalid);
}

async fn page_over_the_limit_is_too_large(t: Trial) {
    let most = t.store.info().limits.page;
    assert!(t.store.list(&items(most)).await.is_ok());
    let error = t.store.list(&items(most + 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let error = t.store.changes(outlast_core::Revision::ZERO, most + 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

async fn foreign_cursor_is_invalid_or_harmless(t: Trial) {
    fill(&t, 5).await;
    let of_values = Cursor::listing(Some(&7.into()), "k001");
    for cursor in ["", "00", "ff", "01", "02ffffffffffffffff", "0100"] {
        let after = Some(cursor.parse::<Cursor>().unwrap());
        let query = Query { page: Page { limit: 5, after }, ..items(5) };
        let listed = t.store.list(&query).await.map(drop);
        let kind = listed.expect_err("a cursor nobody gave").kind();
        assert!(matches!(kind, ErrorKind::Invalid | ErrorKind::TooLarge), "{cursor}: {kind:?}");
    }
    let query = Query { page: Page { limit: 5, after: Some(of_values) }, ..items(5) };
    if let Err(error) = t.store.list(&query).await {
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
