//! One flipped bit anywhere in the file: never a panic, a hang or a wrong value, and whatever is
//! not found any more is noticed by verification.

use std::time::Duration;

use outlast_core::{
    Admin, Backend, HistoryQuery, Key, Kind, OpenOptions, Query, RandomIds, Scope, Slot,
    StreamQuery,
};
use outlast_sqlite::Sqlite;

use crate::house::{House, append, apply, attrs, key, put_with};

const ITEMS: usize = 30;
const FLIPS: usize = 150;

fn items() -> Vec<Key> {
    (0..ITEMS).map(|n| key("item", &format!("item-{n}"))).collect()
}

async fn fill(house: &House) {
    let store = house.open().await;
    for round in 0..3_i64 {
        for (item, n) in items().iter().zip(0_i64..) {
            let state = format!("{{\"round\":{round},\"pad\":\"{}\"}}", "x".repeat(200));
            let attrs = attrs(&[("n", n.into()), ("status", "running".into())]);
            apply(&store, [put_with(item, &state, attrs), append(&key("log", "l"), &[b"line"])])
                .await;
        }
    }
    store.close().await.unwrap();
}

/// What a reader sees, by key; `None` for what it is told to be damaged.
struct Seen {
    slots: Vec<Slot>,
    live: Vec<Slot>,
    versions: Vec<outlast_core::Versioned>,
    entries: Vec<outlast_core::Entry>,
}

async fn look(store: &Sqlite) -> outlast_core::Result<Seen> {
    let slots = store.get(&items()).await?;
    let (mut versions, mut entries) = (Vec::new(), Vec::new());
    let mut all = HistoryQuery::of(Scope::All(None));
    all.page.limit = 40;
    for page in 0.. {
        assert!(page < 10, "the walk does not end");
        let found = store.history(&all).await?;
        versions.extend(found.items.into_iter().flatten());
        let Some(next) = found.next else { break };
        all.page = all.page.after(next);
    }
    let mut log = StreamQuery::of(key("log", "l"));
    log.page.limit = 40;
    for page in 0.. {
        assert!(page < 10, "the walk does not end");
        let found = store.read(&log).await?;
        entries.extend(found.items.into_iter().flatten());
        let Some(next) = found.next else { break };
        log.page = log.page.after(next);
    }
    let mut live = Vec::new();
    let mut listed = Query::of(Kind::new("item")?);
    listed.page.limit = 7;
    for page in 0.. {
        assert!(page < 10, "the walk does not end");
        let found = store.list(&listed).await?;
        live.extend(found.items.into_iter().filter(|slot| matches!(slot, Slot::Live(_))));
        let Some(next) = found.next else { break };
        listed.page = listed.page.after(next);
    }
    Ok(Seen { slots, live, versions, entries })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_never_a_wrong_value() {
    let seed = std::env::var("OUTLAST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("replay: OUTLAST_SEED={seed} cargo test -p outlast-sqlite a_flipped_bit");
    let mut random = fastrand::Rng::with_seed(seed);
    let house = House::new();
    fill(&house).await;
    let bytes = std::fs::read(house.file()).unwrap();
    let store = house.open().await;
    let whole = look(&store).await.unwrap();
    store.close().await.unwrap();
    let mut noticed = 0;
    for n in 0..FLIPS {
        let (at, bit) = (random.usize(..bytes.len()), random.u8(..8));
        let mut rotten = bytes.clone();
        rotten[at] ^= 1 << bit;
        let file = house.path(&format!("{n}.db"));
        std::fs::write(&file, &rotten).unwrap();
        let place = format!("bit {bit} of byte {at}");
        let run = check(&file, &whole, &place);
        let found = tokio::time::timeout(Duration::from_mins(1), run).await;
        noticed += usize::from(found.unwrap_or_else(|_| panic!("{place} makes it hang")));
    }
    assert!(noticed > FLIPS / 10, "only {noticed} of {FLIPS} flips were noticed");
}

/// Whether the flip was noticed at all; fails if it is believed.
async fn check(file: &std::path::Path, whole: &Seen, place: &str) -> bool {
    let opened = Sqlite::open(file, &OpenOptions::existing(), &RandomIds).await;
    let Ok(store) = opened else { return true };
    let verified = store.verify().await;
    let damaged = !verified.as_ref().is_ok_and(|found| found.damaged == 0);
    let Ok(seen) = look(&store).await else { return true };
    for (seen, was) in seen.slots.iter().zip(&whole.slots) {
        match seen {
            Slot::Damaged(_) => assert!(damaged, "{place}: verify misses {seen:?}"),
            Slot::Vacant => assert!(damaged, "{place}: {was:?} is lost and verify misses it"),
            other => assert_eq!(other, was, "{place} gives a wrong value"),
        }
    }
    for slot in &seen.live {
        assert!(whole.live.contains(slot), "{place} lists {slot:?}");
    }
    for version in &seen.versions {
        assert!(whole.versions.contains(version), "{place} gives {version:?}");
    }
    for entry in &seen.entries {
        assert!(whole.entries.contains(entry), "{place} gives {entry:?}");
    }
    let less =
        seen.versions.len() < whole.versions.len() || seen.entries.len() < whole.entries.len();
    assert!(!less || damaged, "{place}: something is lost and verify misses it");
    drop(store.close().await);
    damaged
}
