//! A group of batches means what its batches mean one after the other.

use std::collections::HashMap;

use outlast_core::{
    AttrName, Attributes, Batch, Expect, Key, Limits, Op, Outcome, Receipt, Result, plan,
};
use proptest::prelude::*;

use crate::world::{World, append, batch, context, delete, key, put, touch, version};

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![
        3 => Just(Expect::Any),
        2 => Just(Expect::Absent),
        2 => Just(Expect::Live),
        3 => (1..5_u64).prop_map(|n| Expect::At(version(n))),
    ]
}

fn op(id: &'static str) -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => expect().prop_map(move |expect| put(id, expect)),
        2 => Just(delete(id)),
        1 => expect().prop_map(move |expect| Op::Assert { key: key(id), expect }),
        2 => (0..9_i64).prop_map(move |value| touch(id, value)),
        2 => (1..4_usize).prop_map(move |count| append(id, count)),
    ]
}

/// Batches over three names, each name at most once in each; few ids, so that some repeat.
fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let ops = (
        proptest::option::of(op("a")),
        proptest::option::of(op("b")),
        proptest::option::of(op("c")),
    );
    let one = (0..12_u64, ops).prop_filter_map("not a valid batch", |(n, (a, b, c))| {
        let batch = batch(n, [a, b, c].into_iter().flatten());
        batch.validate(&Limits::EMBEDDED).is_ok().then_some(batch)
    });
    proptest::collection::vec(one, 1..12)
}

fn kinds(outcomes: &[Result<Outcome>]) -> Vec<Result<Outcome, outlast_core::ErrorKind>> {
    let kind = |outcome: &Result<Outcome>| match outcome {
        Ok(outcome) => Ok(outcome.clone()),
        Err(error) => Err(error.kind()),
    };
    outcomes.iter().map(kind).collect()
}

/// Transient attributes as a store would keep them.
#[derive(Default, Debug, PartialEq)]
struct Touched(HashMap<Key, Attributes>);

impl Touched {
    fn remember(&mut self, set: &outlast_core::WriteSet) {
        for version in set.commits.iter().flat_map(|commit| &commit.versions) {
            if !version.is_live() {
                self.0.remove(&version.key);
            }
        }
        for (key, attrs) in &set.touches {
            self.0.entry(key.clone()).or_default().extend(attrs.clone());
        }
    }
}

fn receipts(outcomes: &[Result<Outcome>]) -> impl Iterator<Item = &Receipt> {
    outcomes.iter().filter_map(|outcome| match outcome {
        Ok(Outcome::Applied(receipt)) => Some(receipt),
        _ => None,
    })
}

proptest! {
    #[test]
    fn group_means_what_its_batches_mean_one_by_one(batches in batches()) {
        let (mut together, mut apart) = (World::default(), World::default());
        let (mut touched_together, mut touched_apart) = (Touched::default(), Touched::default());
        let (outcomes, set) = together.group(&batches);
        touched_together.remember(&set);
        let mut single = Vec::new();
        for batch in &batches {
            let (outcome, set) = apart.group(std::slice::from_ref(batch));
            touched_apart.remember(&set);
            single.extend(outcome);
        }
        prop_assert_eq!(kinds(&outcomes), kinds(&single));
        prop_assert_eq!(together, apart);
        prop_assert_eq!(touched_together, touched_apart);
    }

    #[test]
    fn same_view_and_batches_give_the_same_plan(batches in batches()) {
        let view = World::default().0;
        let one = plan(view.clone(), &batches, &context());
        let two = plan(view, &batches, &context());
        prop_assert_eq!(one.set, two.set);
        prop_assert_eq!(kinds(&one.outcomes), kinds(&two.outcomes));
    }

    #[test]
    fn only_applied_batches_leave_something(batches in batches()) {
        let (outcomes, set) = World::default().group(&batches);
        prop_assert_eq!(outcomes.len(), batches.len());
        for commit in &set.commits {
            let mut receipts = receipts(&outcomes);
            let place = (commit.id, commit.revision);
            prop_assert!(receipts.any(|receipt| (receipt.id, receipt.revision) == place));
        }
        let changes = receipts(&outcomes)
            .filter(|receipt| !receipt.versions.is_empty() || !receipt.appended.is_empty());
        prop_assert_eq!(changes.count(), set.commits.len());
    }

    #[test]
    fn versions_and_places_have_no_gap(batches in batches()) {
        let (_, set) = World::default().group(&batches);
        let mut versions: HashMap<Key, u64> = HashMap::new();
        let mut places: HashMap<Key, u64> = HashMap::new();
        for commit in &set.commits {
            for version in &commit.versions {
                let last = versions.entry(version.key.clone()).or_default();
                *last += 1;
                prop_assert_eq!(version.version.n, *last);
                prop_assert_eq!(version.revision, commit.revision);
            }
            for entry in &commit.entries {
                let last = places.entry(entry.stream.clone()).or_default();
                *last += 1;
                prop_assert_eq!(entry.seq.0, *last);
            }
        }
        let beat = AttrName::new("beat").unwrap();
        for (key, attrs) in &set.touches {
            prop_assert!(versions.contains_key(key) && attrs.contains_key(&beat));
        }
    }
}
