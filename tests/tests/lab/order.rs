//! What many clients did at once, recorded and compared with what one store would have answered
//! them in some order that agrees with the time each call took.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use outlast_core::{Expect, OpenOptions, Outcome, Slot, Version};
use outlast_store::Store;
use outlast_tests::lab::report::Report;
use outlast_tests::lab::{Kept, number, process, seed};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

use crate::support::{batch, open, put};

/// The keys a history is about. Batches name several, so it is about what spans them, too.
const KEYS: usize = 3;
/// Clients at once, and what each does one after the other.
const CLIENTS: u64 = 6;
const CALLS: u64 = 4;

/// What one store would do: per key how often it was written, and what was written last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Ideal(BTreeMap<usize, (u64, u64)>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Call {
    /// All keys, in one snapshot.
    Read,
    /// A value under some keys, whatever is there.
    Write(Vec<usize>, u64),
    /// A value under some keys, if the first was written so often.
    Swap(Vec<usize>, u64, u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Seen(Vec<(u64, u64)>),
    Versions(Vec<u64>),
    Conflict,
}

impl SequentialSpec for Ideal {
    type Op = Call;
    type Ret = Answer;

    fn invoke(&mut self, call: &Call) -> Answer {
        let now = |ideal: &Self, key| ideal.0.get(&key).copied().unwrap_or_default();
        match call {
            Call::Read => Answer::Seen((0..KEYS).map(|key| now(self, key)).collect()),
            Call::Swap(keys, _, expected) if now(self, keys[0]).0 != *expected => Answer::Conflict,
            Call::Write(keys, value) | Call::Swap(keys, value, _) => {
                let mut versions = Vec::new();
                for key in keys {
                    let version = now(self, *key).0 + 1;
                    self.0.insert(*key, (version, *value));
                    versions.push(version);
                }
                Answer::Versions(versions)
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_are_those_of_one_store_in_memory() {
    histories("memory", &["memory:"]).await;
}

/// Half of the clients come through a handle of their own, as another process would.
#[tokio::test(flavor = "multi_thread")]
async fn histories_are_those_of_one_store_on_sqlite() {
    let folder = process::quick_folder();
    let url = Kept::Sqlite.url(folder.path());
    histories("sqlite", &[&url, &url]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_are_those_of_one_store_on_sled() {
    let folder = process::quick_folder();
    histories("sled", &[&Kept::Sled.url(folder.path())]).await;
}

async fn histories(backend: &'static str, urls: &[&str]) {
    let count = number("OUTLAST_HISTORIES").unwrap_or(40);
    let seed = seed();
    println!("seed {seed}: again with OUTLAST_SEED={seed} cargo test --test lab order");
    let mut report = Report::new("P8", backend, Some(seed));
    let mut stores = Vec::new();
    for url in urls {
        stores.push(open(url, OpenOptions::default()).await.unwrap());
    }
    for n in 0..count {
        report.round(format!("{backend}: history {n}"));
        let tester = history(&stores, n, seed).await;
        assert!(tester.is_consistent(), "{backend}, history {n}, seed {seed}: {tester:#?}");
    }
    for store in stores {
        store.close().await.unwrap();
    }
    report.pass();
}

type Tester = LinearizabilityTester<u64, Ideal>;

async fn history(stores: &[Store], n: u64, seed: u64) -> Tester {
    let tester = Arc::new(Mutex::new(Tester::new(Ideal::default())));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let store = stores[usize::try_from(client).unwrap() % stores.len()].clone();
        let mut random = fastrand::Rng::with_seed(seed ^ (n << 8) ^ client);
        let tester = tester.clone();
        clients.spawn(async move {
            for call in 0..CALLS {
                let call = choose(&mut random, client * 100 + call);
                tester.lock().unwrap().on_invoke(client, call.clone()).unwrap();
                let answer = make(&store, n, &call).await;
                tester.lock().unwrap().on_return(client, answer).unwrap();
            }
        });
    }
    clients.join_all().await;
    Arc::try_unwrap(tester).unwrap().into_inner().unwrap()
}

fn choose(random: &mut fastrand::Rng, value: u64) -> Call {
    let first = random.usize(..KEYS);
    let keys = if random.bool() { vec![first] } else { vec![first, (first + 1) % KEYS] };
    match random.u8(..4) {
        0 | 1 => Call::Read,
        2 => Call::Write(keys, value),
        _ => Call::Swap(keys, value, random.u64(..4)),
    }
}

fn key(n: u64, key: usize) -> outlast_core::Key {
    outlast_core::Key::new("register", format!("{n}-{key}")).unwrap()
}

async fn make(store: &Store, n: u64, call: &Call) -> Answer {
    let (keys, value, expected) = match call {
        Call::Read => return read(store, n).await,
        Call::Write(keys, value) => (keys, value, Expect::Any),
        Call::Swap(keys, value, 0) => (keys, value, Expect::Absent),
        Call::Swap(keys, value, version) => {
            (keys, value, Expect::At(Version::new(store.info().epoch, *version)))
        }
    };
    let mut ops = Vec::new();
    for (place, name) in keys.iter().enumerate() {
        let expect = if place == 0 { expected } else { Expect::Any };
        ops.push(put(&key(n, *name), expect, &value.to_string()));
    }
    match store.commit(batch(store, ops)).await.unwrap() {
        Outcome::Conflict { .. } => Answer::Conflict,
        Outcome::Applied(receipt) | Outcome::Replayed(receipt) => {
            let version = |name: &usize| receipt.version(&key(n, *name)).unwrap().n;
            Answer::Versions(keys.iter().map(version).collect())
        }
    }
}

async fn read(store: &Store, n: u64) -> Answer {
    let keys: Vec<_> = (0..KEYS).map(|name| key(n, name)).collect();
    let slots = store.get(&keys).await.unwrap();
    let seen = slots.into_iter().map(|slot| match slot {
        Slot::Live(live) => (live.version.n, live.state.as_str().parse().unwrap()),
        _ => (0, 0),
    });
    Answer::Seen(seen.collect())
}

/// A history that no single store could have answered is noticed: the tester is no decoration.
#[test]
fn a_stale_read_is_no_history_of_one_store() {
    let mut tester = Tester::new(Ideal::default());
    tester.on_invret(0, Call::Write(vec![0], 7), Answer::Versions(vec![1])).unwrap();
    tester.on_invret(1, Call::Read, Answer::Seen(vec![(0, 0); KEYS])).unwrap();
    assert!(!tester.is_consistent());
}
