//! Sixteen write, eight follow: each of them holds at every revision just what the history says.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use fastrand::Rng;
use outlast_core::{
    AttrName, AttrValue, Attributes, Event, HistoryQuery, Key, Op, Page, Revision, Scope,
    StreamQuery, Version,
};
use outlast_orchestrator::sync::{Feed, Message, Mirror, Reaction, SyncOptions};
use outlast_store::Store;
use tokio::sync::watch;

use crate::support::{BACKENDS, delete, event, key, line, open, put, try_commit};

const WRITERS: u64 = 16;
const COMMITS: usize = 25;
const FOLLOWERS: u64 = 8;

type States = BTreeMap<Key, (Version, String)>;

fn digest(states: &States) -> u64 {
    let mut hasher = DefaultHasher::new();
    states.hash(&mut hasher);
    hasher.finish()
}

fn states(mirror: &Mirror) -> States {
    let state = |item: &outlast_orchestrator::sync::Item| item.state.clone().unwrap().to_string();
    mirror.items().map(|item| (item.key.clone(), (item.version, state(item)))).collect()
}

/// A few operations on a few entities, so that writers meet.
fn operations(random: &mut Rng) -> Vec<Op> {
    let mut ops = BTreeMap::new();
    for _ in 0..random.usize(1..4) {
        let kind = ["item", "note", "claim"][random.usize(..3)];
        let key = key(kind, &random.u32(..12).to_string());
        let op = match random.u32(..10) {
            0..=5 => put(&key, &format!("{{\"n\":{}}}", random.u32(..))),
            6..=8 => delete(&key),
            _ => {
                let beat = (AttrName::new("beat").unwrap(), AttrValue::Int(1));
                Op::Touch { key: key.clone(), attrs: Attributes::from([beat]) }
            }
        };
        ops.insert(key, op);
    }
    let mut ops: Vec<Op> = ops.into_values().collect();
    match random.u32(..6) {
        0 => ops.push(event("something happened")),
        1 => ops.push(line("l")),
        2 => ops = vec![event("nothing else happened"), line("m")],
        _ => {}
    }
    ops
}

async fn write(store: Store, seed: u64, written: watch::Sender<u64>) {
    let mut random = Rng::with_seed(seed);
    for _ in 0..COMMITS {
        try_commit(&store, operations(&mut random)).await;
        written.send_modify(|count| *count += 1);
    }
}

/// What a follower saw: a digest for each revision from its first on, and the places of events.
struct Seen {
    digests: Vec<(Revision, u64)>,
    events: Vec<u64>,
}

/// Follows from some moment on until everybody has written. A restless follower goes away after
/// every few messages, and comes back where it was.
async fn follow(
    feed: Feed,
    (from, restless): (u64, bool),
    mut written: watch::Receiver<u64>,
    mut last: watch::Receiver<Option<Revision>>,
) -> Seen {
    written.wait_for(|count| *count >= from).await.unwrap();
    let options = SyncOptions { queue: usize::MAX, beacon: None, ..SyncOptions::default() };
    let mut subscription = feed.subscribe(options.clone());
    let mut mirror = Mirror::new();
    let mut seen = Seen { digests: Vec::new(), events: Vec::new() };
    loop {
        let at = mirror.position().map(|position| position.revision);
        if at.is_some() && at == *last.borrow() {
            return seen;
        }
        let message = tokio::select! {
            message = subscription.next() => message.unwrap(),
            _ = last.changed() => continue,
        };
        assert_eq!(mirror.apply(&message), Reaction::Applied, "{message:?}");
        let revision = message.position().revision;
        seen.digests.push((revision, digest(&states(&mirror))));
        match &message {
            Message::Init(snapshot) => seen.events.extend(snapshot.events.iter().map(|e| e.seq.0)),
            Message::Delta(delta) => seen.events.extend(delta.events.iter().map(|e| e.seq.0)),
            other => panic!("{other:?}"),
        }
        if restless && revision.0 % 3 == 0 {
            subscription = feed.subscribe(options.clone().resuming(message.position()));
        }
    }
}

/// What the history says of every revision: the digest of all live entities.
async fn history(store: &Store, last: Revision) -> BTreeMap<Revision, u64> {
    let mut query = HistoryQuery::of(Scope::All(None));
    query.page = Page::first(1000);
    let mut changes: BTreeMap<Revision, Vec<_>> = BTreeMap::new();
    loop {
        let page = store.history(&query).await.unwrap();
        for version in page.items {
            let version = version.unwrap();
            changes.entry(version.revision).or_default().push(version);
        }
        let Some(next) = page.next else { break };
        query.page = query.page.after(next);
    }
    let mut states = States::new();
    let mut digests = BTreeMap::new();
    for revision in 0..=last.0 {
        for version in changes.remove(&Revision(revision)).unwrap_or_default() {
            match version.state {
                Some(state) => {
                    states.insert(version.key, (version.version, state.to_string()));
                }
                None => {
                    states.remove(&version.key);
                }
            }
        }
        digests.insert(Revision(revision), digest(&states));
    }
    digests
}

async fn event_places(store: &Store) -> Vec<u64> {
    let page = Page::first(10_000);
    let query = StreamQuery { page, ..StreamQuery::of(Event::log().unwrap()) };
    let entries = store.read(&query).await.unwrap().items;
    entries.into_iter().map(|entry| entry.unwrap().seq.0).collect()
}

/// I12 in ARCHITECTURE.md.
#[tokio::test(flavor = "multi_thread")]
async fn every_follower_holds_what_the_history_says_at_every_revision() {
    let seed =
        std::env::var("OUTLAST_SEED").map_or_else(|_| fastrand::u64(..), |s| s.parse().unwrap());
    println!("seed {seed}: replay with OUTLAST_SEED={seed}");
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(backend, &folder.path().join("state")).await;
        let feed = Feed::of(&store);
        let (written, watched) = watch::channel(0);
        let (last, until) = watch::channel(None);
        let followers: Vec<_> = (0..FOLLOWERS)
            .map(|n| {
                let from = n * WRITERS * COMMITS as u64 / FOLLOWERS;
                tokio::spawn(follow(
                    feed.clone(),
                    (from, n % 2 == 1),
                    watched.clone(),
                    until.clone(),
                ))
            })
            .collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|n| tokio::spawn(write(store.clone(), seed.wrapping_add(n), written.clone())))
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let end = store.revision().await.unwrap();
        last.send(Some(end)).unwrap();
        let expected = history(&store, end).await;
        let places = event_places(&store).await;
        for (n, follower) in followers.into_iter().enumerate() {
            let Seen { digests, events } = follower.await.unwrap();
            let first = digests[0].0;
            let revisions: Vec<u64> = digests.iter().map(|(revision, _)| revision.0).collect();
            let all: Vec<u64> = (first.0..=end.0).collect();
            assert_eq!(revisions, all, "{backend}, seed {seed}: follower {n} left some out");
            for (revision, found) in digests {
                let what = format!("{backend}, seed {seed}: follower {n} at {}", revision.0);
                assert_eq!(found, expected[&revision], "{what}");
            }
            assert!(places.ends_with(&events), "{backend}: follower {n} saw events {events:?}");
        }
        assert_eq!(feed.followers(), 0, "they are gone");
        store.close().await.unwrap();
    }
}
