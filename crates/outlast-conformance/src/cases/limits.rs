//! What is too large or too many is refused by name, and what is just within is kept.

use outlast_core::{
    Attributes, Batch, Cause, ErrorKind, Expect, Json, Limits, MAX_ID_BYTES, MAX_REASON_BYTES,
};

use crate::ops::{append, int, item, log, name, number, put, put_with, tagged, text, touch};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(every_store_offers_the_floor),
        Case::of(operations_over_the_limit_are_too_large),
        Case::of(largest_state_is_kept),
        Case::of(state_over_the_limit_is_too_large),
        Case::of(batch_over_its_bytes_is_too_large),
        Case::of(attributes_over_the_limit_are_too_large),
        Case::of(attribute_values_are_bounded),
        Case::of(reason_is_bounded),
    ]
}

fn json_of(bytes: usize) -> Json {
    Json::parse(&format!("\"{}\"", "x".repeat(bytes - 2))).unwrap()
}

fn attributes(count: usize) -> Attributes {
    (0..count).map(|n| (name(&format!("a{n}")), 1.into())).collect()
}

async fn every_store_offers_the_floor(t: Trial) {
    let Limits { ops, batch_bytes, state_bytes, entry_bytes, attributes, page } =
        t.store.info().limits;
    let floor = Limits::FLOOR;
    assert!(ops >= floor.ops && batch_bytes >= floor.batch_bytes);
    assert!(state_bytes >= floor.state_bytes && entry_bytes >= floor.entry_bytes);
    assert!(attributes >= floor.attributes && page >= floor.page);
}

async fn operations_over_the_limit_are_too_large(t: Trial) {
    let most = t.store.info().limits.ops;
    let batch = t.batch((0..=most).map(|n| put(&item(&format!("k{n}")), 1)));
    assert_eq!(t.refused(&batch).await, ErrorKind::TooLarge);
}

async fn largest_state_is_kept(t: Trial) {
    let state = json_of(t.store.info().limits.state_bytes);
    t.write(put_with(&item("a"), Expect::Any, Attributes::new(), state.clone())).await;
    assert!(t.record(&item("a")).await.state == state, "the largest state came back otherwise");
    assert!(t.versions(&item("a")).await[0].state.as_ref() == Some(&state));
}

async fn state_over_the_limit_is_too_large(t: Trial) {
    let state = json_of(t.store.info().limits.state_bytes + 1);
    let op = put_with(&item("a"), Expect::Any, Attributes::new(), state);
    assert_eq!(t.refused(&t.batch([put(&item("b"), 1), op])).await, ErrorKind::TooLarge);
}

async fn batch_over_its_bytes_is_too_large(t: Trial) {
    let limits = t.store.info().limits;
    let count = limits.batch_bytes / limits.entry_bytes + 1;
    let large = "x".repeat(limits.entry_bytes);
    let ops = (0..count).map(|n| append(&log(&n.to_string()), &[large.as_str()]));
    assert_eq!(t.refused(&t.batch(ops)).await, ErrorKind::TooLarge);
}

async fn attributes_over_the_limit_are_too_large(t: Trial) {
    let most = t.store.info().limits.attributes;
    t.write(tagged(&item("a"), attributes(most))).await;
    assert_eq!(t.record(&item("a")).await.attrs.len(), most);
    let batch = t.batch([tagged(&item("a"), attributes(most + 1))]);
    assert_eq!(t.refused(&batch).await, ErrorKind::TooLarge);
    let batch = t.batch([touch(&item("a"), attributes(most + 1))]);
    assert_eq!(t.refused(&batch).await, ErrorKind::TooLarge);
}

async fn attribute_values_are_bounded(t: Trial) {
    let longest = "x".repeat(MAX_ID_BYTES);
    t.write(tagged(&item("a"), text("x", &longest))).await;
    let filter = outlast_core::Filter::is(name("x"), longest.as_str());
    assert_eq!(t.ids(crate::ops::items(5).filter(filter)).await, ["a"]);
    let over = format!("{longest}x");
    let batch = t.batch([tagged(&item("b"), text("x", &over))]);
    assert_eq!(t.refused(&batch).await, ErrorKind::TooLarge);
    let batch = t.batch([tagged(&item("b"), text("x", "a\0b"))]);
    assert_eq!(t.refused(&batch).await, ErrorKind::Invalid);
}

async fn reason_is_bounded(t: Trial) {
    let because = |bytes| Cause::default().because("x".repeat(bytes));
    let op = || put_with(&item("a"), Expect::Any, int("x", 1), number(1));
    t.apply_batch(&Batch { cause: because(MAX_REASON_BYTES), ..t.batch([op()]) }).await;
    let batch = Batch { cause: because(MAX_REASON_BYTES + 1), ..t.batch([op()]) };
    assert_eq!(t.refused(&batch).await, ErrorKind::TooLarge);
}
