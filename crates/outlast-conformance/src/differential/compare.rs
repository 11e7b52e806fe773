//! Whether a store answers as the model does.

use std::fmt::Debug;
use std::ops::Bound;

use fastrand::Rng;
use outlast_core::{
    Action, AttrValue, ErrorKind, Filter, HistoryQuery, Order, Page, Query, Revision, Scope, Seq,
    StreamQuery, Test, Timestamp,
};

use super::random::{keys, streams};
use crate::Trial;
use crate::model::Model;
use crate::ops::{any_of, items, kind, name};
use crate::snapshot::{Snapshot, walk_changes, walk_history, walk_list, walk_stream};

/// Everything once, and some random questions that depend on the number of the step alone.
pub(super) async fn all(trial: &Trial, model: &Model, number: usize) -> Result<(), String> {
    let found = Snapshot::of(trial.backend()).await;
    let expected = model.snapshot();
    same("slots", &found.slots, &expected.slots)?;
    same("history", &found.history, &expected.history)?;
    same("streams", &found.streams, &expected.streams)?;
    same("entries", &found.entries, &expected.entries)?;
    same("feed", &found.feed, &expected.feed)?;
    feed(trial, model).await?;
    let mut keys = keys();
    keys.reverse();
    let slots = trial.store.get(&keys).await.map_err(|error| format!("{error:?}"))?;
    same("get", &slots, &keys.iter().map(|key| model.slot(key)).collect::<Vec<_>>())?;
    let mut rng = Rng::with_seed(number as u64);
    for _ in 0..3 {
        listing(trial, model, &mut rng).await?;
        history(trial, model, &mut rng).await?;
        stream(trial, model, &mut rng).await?;
    }
    Ok(())
}

fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?}\nshould be {expected:?}"))
}

async fn feed(trial: &Trial, model: &Model) -> Result<(), String> {
    let (begin, expected) = model.feed_after_compaction();
    let found = walk_changes(trial.backend(), begin, 3).await;
    let found = found.map_err(|error| format!("the feed after {begin:?}: {error:?}"))?;
    same("feed after compaction", &found.as_slice(), &expected)?;
    let Some(before) = begin.0.checked_sub(1) else { return Ok(()) };
    let refused = trial.store.changes(Revision(before), 1).await.map_err(|error| error.kind());
    same("feed before compaction", &refused.err(), &Some(ErrorKind::Compacted))
}

fn filter(rng: &mut Rng) -> Filter {
    let bound = |rng: &mut Rng, value: AttrValue| match rng.u32(0..3) {
        0 => Bound::Included(value),
        1 => Bound::Excluded(value),
        _ => Bound::Unbounded,
    };
    match rng.u32(0..5) {
        0 => any_of("x", [rng.i64(-1..3).into(), "1".into(), rng.i64(-1..3).into()]),
        1 => any_of("status", ["new".into()]),
        2 => {
            let (low, high) = (rng.i64(-1..2), rng.i64(0..3));
            let test = Test::Within(bound(rng, low.into()), bound(rng, high.into()));
            Filter { name: name("x"), test }
        }
        3 => {
            let test = Test::Within(bound(rng, "".into()), bound(rng, "b".into()));
            Filter { name: name("x"), test }
        }
        _ => any_of("x", [i64::MAX.into(), i64::MIN.into(), "".into()]),
    }
}

async fn listing(trial: &Trial, model: &Model, rng: &mut Rng) -> Result<(), String> {
    let mut query = Query { descending: rng.bool(), ..items(rng.u32(1..4)) };
    query.filters = (0..rng.usize(0..3)).map(|_| filter(rng)).collect();
    match rng.u32(0..3) {
        0 => query.order = Order::Attr(name("x")),
        1 => query.order = Order::Attr(name("status")),
        _ => query.tombstones = query.filters.is_empty() && rng.bool(),
    }
    let found = walk_list(trial.backend(), query.clone()).await;
    same(&format!("{query:?}"), &found, &model.list(&query))?;
    let by = [vec![], vec![name("x")], vec![name("status"), name("x")]];
    let by = &by[rng.usize(0..3)];
    let counts = trial.store.count(&query, by).await;
    let mut counts = counts.map_err(|error| format!("{error:?}"))?;
    counts.groups.sort();
    same(&format!("count by {by:?} of {query:?}"), &counts, &model.count(&query, by))
}

/// A bound that something lies exactly on, or none.
fn moment(rng: &mut Rng, moments: &[Timestamp]) -> Option<Timestamp> {
    let some = rng.u32(0..3) == 0 && !moments.is_empty();
    some.then(|| moments[rng.usize(0..moments.len())])
}

async fn history(trial: &Trial, model: &Model, rng: &mut Rng) -> Result<(), String> {
    let keys = keys();
    let scope = match rng.u32(0..4) {
        0 => Scope::All(None),
        1 => Scope::All(Some(kind("item"))),
        _ => Scope::Entity(keys[rng.usize(0..keys.len())].clone()),
    };
    let moments = model.history(&HistoryQuery::of(Scope::All(None)));
    let moments: Vec<Timestamp> = moments.iter().map(|version| version.at).collect();
    let query = HistoryQuery {
        from: rng.bool().then(|| rng.u64(0..5)),
        to: rng.bool().then(|| rng.u64(0..9)),
        since: moment(rng, &moments),
        until: moment(rng, &moments),
        actor: (rng.u32(0..5) == 0).then(|| "user:ann".parse().unwrap()),
        action: (rng.u32(0..5) == 0).then(Action::update),
        newest_first: rng.bool(),
        page: Page::first(rng.u32(1..5)),
        ..HistoryQuery::of(scope)
    };
    let found = walk_history(trial.backend(), query.clone()).await;
    let expected: Vec<_> = model.history(&query).into_iter().map(Ok).collect();
    same(&format!("{query:?}"), &found, &expected)
}

async fn stream(trial: &Trial, model: &Model, rng: &mut Rng) -> Result<(), String> {
    let streams = streams();
    let stream = streams[rng.usize(0..streams.len())].clone();
    let moments = model.read(&StreamQuery::of(stream.clone()));
    let moments: Vec<Timestamp> = moments.iter().map(|entry| entry.at).collect();
    let query = StreamQuery {
        from: rng.bool().then(|| Seq(rng.u64(0..9))),
        to: rng.bool().then(|| Seq(rng.u64(0..12))),
        since: moment(rng, &moments),
        until: moment(rng, &moments),
        filters: (0..rng.usize(0..2)).map(|_| filter(rng)).collect(),
        newest_first: rng.bool(),
        page: Page::first(rng.u32(1..5)),
        ..StreamQuery::of(stream)
    };
    let found = walk_stream(trial.backend(), query.clone()).await;
    let expected: Vec<_> = model.read(&query).into_iter().map(Ok).collect();
    same(&format!("{query:?}"), &found, &expected)
}
