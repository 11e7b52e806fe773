//! Random content that meets every corner of the format.

use fastrand::Rng;
use outlast_core::{
    Action, Actor, AttrName, AttrValue, Attributes, Batch, Cause, Expect, Id, IdSource, Json, Key,
    NewEntry, Op, Prune, Put, RandomIds, Space, Timestamp,
};
use outlast_store::Store;

use crate::content::{prune, up_to};

const IDS: [&str; 8] = ["a", "b", "B", "a b", "ä/1", "日本", "\u{10ffff}", "\"\\"];
const STATES: [&str; 8] = [
    "null",
    "\"text\"",
    "{\"a\": 1}",
    "{\n  \"pretty\": [1, 2]\n}",
    " 1 ",
    "[1.50, 1e2, 123456789012345678901234567890]",
    "{\"a\":1,\"a\":2}",
    "\"\\u2028 \\ud83d\\ude00 \u{2028}\"",
];

/// The seed that the environment asks for, or any. A failed test shows it.
pub(crate) fn seed() -> u64 {
    match std::env::var("OUTLAST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => fastrand::u64(..),
    }
}

pub(crate) struct Content<'a> {
    pub(crate) rng: Rng,
    pub(crate) store: &'a Store,
}

impl Content<'_> {
    fn key(&mut self, kinds: [&str; 2]) -> Key {
        let kind = kinds[self.rng.usize(..2)];
        let id = IDS[self.rng.usize(..IDS.len())];
        Key::new(kind, id).unwrap().in_space(Space(self.rng.u32(..2)))
    }

    fn entity(&mut self) -> Key {
        self.key(["note", "task"])
    }

    fn stream(&mut self) -> Key {
        self.key(["log", "note"])
    }

    fn attrs(&mut self) -> Attributes {
        let names = ["status", "group", "a1"];
        let values = [
            AttrValue::Int(i64::MIN),
            AttrValue::Int(7),
            AttrValue::from(""),
            AttrValue::from("\n\"ü"),
        ];
        let count = self.rng.usize(..3);
        let name = |name: &&str| AttrName::new(name).unwrap();
        names.iter().take(count).map(|n| (name(n), values[self.rng.usize(..4)].clone())).collect()
    }

    fn cause(&mut self) -> Cause {
        let mut cause = Cause::default();
        if self.rng.bool() {
            let user = Actor::User(Id::new("ann:b").unwrap());
            cause = Cause::by(if self.rng.bool() { user } else { Actor::Recovery });
        }
        if self.rng.bool() {
            cause = cause.because("because\nof \u{0}this").called(Action::new("tidy").unwrap());
            cause.metadata = Some(self.state());
        }
        cause
    }

    fn state(&mut self) -> Json {
        Json::parse(STATES[self.rng.usize(..STATES.len())]).unwrap()
    }

    fn entry(&mut self) -> NewEntry {
        let data = [&b""[..], b"plain\n", "ünï\u{0}".as_bytes(), &[0xff, 0xfe, 0x00], &[0x80; 100]];
        let data = data[self.rng.usize(..data.len())].to_vec();
        let at = [None, Some(Timestamp::from_micros(-1)), Some(Timestamp::from_micros(i64::MAX))];
        NewEntry { at: at[self.rng.usize(..3)], attrs: self.attrs(), data }
    }

    fn op(&mut self) -> Op {
        match self.rng.u32(..10) {
            0..5 => Op::Put(Put {
                key: self.entity(),
                expect: Expect::Any,
                schema: self.rng.u32(..),
                attrs: self.attrs(),
                state: self.state(),
            }),
            5 => Op::Delete { key: self.entity(), expect: Expect::Any },
            6 => Op::Touch { key: self.entity(), attrs: self.attrs() },
            _ => {
                let count = self.rng.usize(1..4);
                let entries = (0..count).map(|_| self.entry()).collect();
                Op::Append { stream: self.stream(), entries }
            }
        }
    }

    /// One commit or one pruning; commits that meet an expectation change nothing.
    pub(crate) async fn step(&mut self) {
        let item = match self.rng.u32(..20) {
            0 => Prune::History { key: self.entity(), below: self.rng.u64(..6) },
            1 => up_to(self.stream(), self.rng.u64(..6)),
            2 => up_to(self.stream(), u64::MAX),
            3 => Prune::Stream(self.stream()),
            _ => {
                let op = self.op();
                let batch = Batch::new(RandomIds.commit_id(), self.cause()).with(op);
                drop(self.store.commit(batch).await.unwrap());
                return;
            }
        };
        prune(self.store, item).await;
    }
}

/// Fills a store from a seed, and says how to do it again.
#[allow(clippy::print_stdout)]
pub(crate) async fn fill(store: &Store, seed: u64, steps: usize) {
    println!("replay with OUTLAST_SEED={seed}");
    let mut content = Content { rng: Rng::with_seed(seed), store };
    for _ in 0..steps {
        content.step().await;
    }
}
