//! Random steps over few names, so that they meet.

use std::time::Duration;

use fastrand::Rng;
use outlast_core::{
    Action, Actor, Attributes, Batch, Cause, CommitId, Durability, Entry, Epoch, Expect, Json, Key,
    NewEntry, Op, Prune, Put, Revision, Seq, Space, StreamName, Timestamp, Version, Versioned,
};

use super::Step;
use crate::Trial;
use crate::model::Model;
use crate::ops::{int, item, log, name, number, text};

pub(super) fn step(rng: &mut Rng, model: &Model, trial: &Trial) -> Step {
    match rng.u32(0..100) {
        0..60 => Step::Commit(vec![batch(rng, model, trial)]),
        60..70 => Step::Commit(vec![again(rng, model, trial)]),
        70..80 => Step::Commit(group(rng, model, trial)),
        80..90 => Step::Prune(prune(rng, model)),
        90..92 => Step::Reopen,
        92..94 => Step::Crash,
        _ => Step::Wait(Duration::from_millis(rng.u64(0..20_000))),
    }
}

pub(super) fn keys() -> Vec<Key> {
    let other = Key::new("other", "a").unwrap();
    vec![item("a"), item("b"), item("ü"), item("%"), item("a").in_space(Space(1)), other]
}

pub(super) fn streams() -> Vec<StreamName> {
    vec![log("l"), log("m").in_space(Space(1))]
}

fn pick<T: Clone>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(0..from.len())].clone()
}

fn batch(rng: &mut Rng, model: &Model, trial: &Trial) -> Batch {
    let ops = (0..rng.usize(1..5)).map(|_| op(rng, model, trial)).collect();
    let mut batch = Batch { ops, ..trial.batch([]) };
    if rng.u32(0..4) == 0 {
        batch.cause = cause(rng);
    }
    if rng.u32(0..20) == 0 {
        batch.durability = pick(rng, &[Durability::Durable, Durability::Enqueued]);
    }
    batch
}

/// Batches at once; now and then one of them twice.
fn group(rng: &mut Rng, model: &Model, trial: &Trial) -> Vec<Batch> {
    let mut group: Vec<Batch> = (0..rng.usize(2..6)).map(|_| batch(rng, model, trial)).collect();
    if rng.bool() {
        group.push(group[0].clone());
    }
    group
}

/// A batch sent before, sometimes with other content.
fn again(rng: &mut Rng, model: &Model, trial: &Trial) -> Batch {
    let known: Vec<&Batch> = model.known().collect();
    if known.is_empty() {
        return batch(rng, model, trial);
    }
    let mut again = known[rng.usize(0..known.len())].clone();
    if rng.u32(0..4) == 0 {
        again.ops = vec![op(rng, model, trial)];
    }
    again
}

fn cause(rng: &mut Rng) -> Cause {
    let actors: [Actor; 3] = ["user:ann", "agent:a", "system"].map(|text| text.parse().unwrap());
    Cause {
        actor: Some(pick(rng, &actors)),
        action: rng.bool().then(|| Action::new("promote").unwrap()),
        reason: rng.bool().then(|| "why ' not".to_owned()),
        metadata: rng.bool().then(|| Json::parse("{\"a\": [1,2.0]}").unwrap()),
    }
}

fn op(rng: &mut Rng, model: &Model, trial: &Trial) -> Op {
    let key = pick(rng, &keys());
    let stream = pick(rng, &streams());
    match rng.u32(0..100) {
        0..38 => Op::Put(Put {
            expect: expect(rng, model, &key),
            key,
            schema: rng.u32(0..3),
            attrs: attrs(rng),
            state: number(rng.i64(..)),
        }),
        38..53 => Op::Delete { expect: expect(rng, model, &key), key },
        53..65 => Op::Append { stream, entries: entries(rng) },
        65..72 => Op::Assert { expect: expect(rng, model, &key), key },
        72..82 => Op::Touch { key, attrs: attrs(rng) },
        82..94 => merge_record(rng, &key, trial.store.info().epoch),
        _ => merge_entries(rng, &stream),
    }
}

const STATES: [&[&str]; 3] = [&["new"], &["done", "new"], &[]];

fn expect(rng: &mut Rng, model: &Model, key: &Key) -> Expect {
    let head = model.newest(key);
    let right = match head {
        Some(head) if head.is_live() => Expect::At(head.version),
        _ => Expect::Absent,
    };
    match rng.u32(0..10) {
        0..5 => right,
        5..8 => Expect::Any,
        8 if rng.bool() => Expect::Status(pick(rng, &STATES)),
        8 => Expect::Live,
        _ => head.map_or(Expect::Live, |head| {
            Expect::At(Version::new(head.version.epoch, head.version.n.saturating_sub(1)))
        }),
    }
}

fn attrs(rng: &mut Rng) -> Attributes {
    let mut attrs = Attributes::new();
    if rng.u32(0..3) > 0 {
        attrs.extend(int("x", pick(rng, &[-1, 0, 1, 2, i64::MIN, i64::MAX])));
    }
    match rng.u32(0..4) {
        0 => attrs.extend(text("x", pick(rng, &["", "1", "é"]))),
        1 => attrs.extend(text("status", pick(rng, &["new", "done"]))),
        2 => attrs.extend(int("status", 1)),
        _ => {}
    }
    attrs
}

fn entries(rng: &mut Rng) -> Vec<NewEntry> {
    let count = rng.usize(1..4);
    let entry = |rng: &mut Rng| NewEntry {
        at: (rng.u32(0..4) == 0).then(|| Timestamp::from_micros(rng.i64(..))),
        attrs: attrs(rng),
        data: (0..rng.usize(0..6)).map(|_| rng.u8(..)).collect(),
    };
    (0..count).map(|_| entry(rng)).collect()
}

/// A merge of what one other store could hold: its content follows from key and version, but for
/// a rare one that diverged.
fn merge_record(rng: &mut Rng, key: &Key, epoch: Epoch) -> Op {
    let epoch = Epoch(match rng.u32(0..6) {
        0 => epoch.0 + 1,
        1 => epoch.0,
        _ => epoch.0.saturating_sub(1),
    });
    let n = rng.u64(1..7);
    let diverged = i64::from(rng.u32(0..25) == 0);
    let version = |n: u64| foreign(key, Version::new(epoch, n), diverged);
    let history = (1..n).filter(|_| rng.bool()).map(version).collect();
    Op::MergeRecord { record: Box::new(version(n)), history }
}

fn foreign(key: &Key, version: Version, diverged: i64) -> Versioned {
    let n = i64::try_from(version.n).unwrap();
    let live = n % 4 != 3;
    Versioned {
        key: key.clone(),
        version,
        revision: Revision(version.n),
        commit: CommitId::of(uuid::Uuid::from_u128(u128::from(version.n))),
        at: Timestamp::from_micros(1_000_000 * n + diverged),
        action: Action::new("merge").unwrap(),
        actor: (n % 2 == 0).then_some(Actor::Migration),
        reason: None,
        metadata: None,
        schema: 1,
        attrs: if live { int("x", n % 3) } else { Attributes::new() },
        state: live.then(|| number(n)),
    }
}

fn merge_entries(rng: &mut Rng, stream: &StreamName) -> Op {
    let first = rng.u64(1..6);
    let entries = (first..first + rng.u64(1..5)).map(|seq| Entry {
        stream: stream.clone(),
        seq: Seq(seq),
        at: Timestamp::from_micros(i64::try_from(seq).unwrap()),
        attrs: Attributes::from([(name("x"), 1.into())]),
        data: vec![7; usize::try_from(seq).unwrap()],
    });
    Op::MergeEntries { stream: stream.clone(), entries: entries.collect() }
}

fn prune(rng: &mut Rng, model: &Model) -> Prune {
    let key = pick(rng, &keys());
    let stream = pick(rng, &streams());
    match rng.u32(0..5) {
        0 => Prune::Entries { stream, up_to: Seq(rng.u64(0..12)) },
        1 => Prune::Stream(stream),
        2 => Prune::History { key, below: rng.u64(0..8) },
        3 => {
            let mut moments = model.moments();
            moments.push(Timestamp::from_micros(0));
            let by = Duration::from_micros(pick(rng, &[0, 1, 1000, 1001]));
            Prune::Commits { before: pick(rng, &moments).plus(by) }
        }
        _ => {
            let version = model.newest(&key).map(|head| head.version);
            let mut version = version.unwrap_or(Version::new(Epoch(1), 1));
            version.n -= u64::from(rng.u32(0..3) == 0);
            Prune::Tombstone { key, version }
        }
    }
}
