//! What is chosen, what is bounded, and that both are said.

use std::time::Duration;

use outlast_core::{
    Command, CommandStatus, ErrorKind, Kind, ManualClock, OpSpec, RandomIds, Revision, Timestamp,
};
use outlast_memory::Memory;
use outlast_orchestrator::sync::{Feed, Op, SyncOptions};
use outlast_store::{Store, StoreOptions};
use std::sync::Arc;

use crate::support::{
    BACKENDS, commit, delete, delta, event, init, key, line, memory, names, open, put,
};

#[tokio::test]
async fn only_what_was_chosen_is_told_and_every_revision_even_so() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(backend, &folder.path().join("state")).await;
        commit(&store, [put(&key("item", "a"), "1"), put(&key("note", "n"), "1")]).await;
        commit(&store, [event("before")]).await;
        let options = SyncOptions { events: 0, ..SyncOptions::default() };
        let mut subscription =
            Feed::of(&store).subscribe(options.only([Kind::new("item").unwrap()]));
        let snapshot = init(&mut subscription).await;
        assert_eq!((names(&snapshot), snapshot.events), (vec!["item/a".to_owned()], vec![]));
        commit(&store, [put(&key("note", "n"), "2"), event("meanwhile")]).await;
        commit(&store, [put(&key("item", "b"), "2"), put(&key("note", "n"), "3")]).await;
        let first = delta(&mut subscription).await;
        assert!(first.items.is_empty() && first.events.is_empty(), "{backend}: {first:?}");
        let second = delta(&mut subscription).await;
        assert_eq!((second.revision, second.items.len()), (Revision(4), 1), "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_delta_says_what_happened_to_what() {
    let store = memory();
    let mut subscription = Feed::of(&store).subscribe(SyncOptions::default());
    init(&mut subscription).await;
    let item = key("item", "a");
    commit(&store, [put(&item, "1")]).await;
    commit(&store, [put(&item, "null"), line("l"), event("said")]).await;
    commit(&store, [delete(&item)]).await;
    commit(&store, [put(&item, "4")]).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        let delta = delta(&mut subscription).await;
        let item = &delta.items[0];
        told.push((item.op, item.version.n, item.state.as_ref().map(ToString::to_string)));
        if delta.revision == Revision(2) {
            let appended: Vec<String> = delta
                .appended
                .iter()
                .map(|a| format!("{} {}..{}", a.stream, a.first.0, a.last.0))
                .collect();
            assert_eq!(appended, ["log/l 1..1", "event/log 1..1"]);
            assert_eq!(delta.events[0].decode().unwrap().message, "said");
        }
    }
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        (Op::Added, 1, some("1")),
        (Op::Updated, 2, some("null")),
        (Op::Removed, 3, None),
        (Op::Added, 4, some("4")),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_a_snapshot_leaves_out_is_counted() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(backend, &folder.path().join("state")).await;
        for n in 0..7 {
            commit(&store, [put(&key("item", &n.to_string()), "1"), event("one more")]).await;
        }
        commit(&store, [put(&key("note", "n"), "1")]).await;
        let options = SyncOptions { most: 5, events: 3, ..SyncOptions::default() };
        let snapshot = init(&mut Feed::of(&store).subscribe(options)).await;
        assert_eq!(snapshot.items.len(), 6, "{backend}");
        assert_eq!(snapshot.left_out, [(Kind::new("item").unwrap(), 2)].into(), "{backend}");
        let events: Vec<u64> = snapshot.events.iter().map(|event| event.seq.0).collect();
        assert_eq!(events, [5, 6, 7], "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_snapshot_over_its_bytes_is_refused_and_can_be_asked_for_again() {
    let store = memory();
    let large = format!("\"{}\"", "x".repeat(1000));
    commit(&store, [put(&key("item", "a"), &large), put(&key("item", "b"), &large)]).await;
    let options = SyncOptions { most_bytes: 1500, ..SyncOptions::default() };
    let mut subscription = Feed::of(&store).subscribe(options);
    for _ in 0..2 {
        let refused = subscription.next().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
    }
    commit(&store, [put(&key("item", "b"), "1")]).await;
    assert_eq!(init(&mut subscription).await.items.len(), 2);
}

#[tokio::test]
async fn of_settled_commands_the_newest_are_in_a_snapshot_and_all_that_are_not() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_700_000_000_000_000)));
    let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
    let store = Store::open(Arc::new(Memory::new(&RandomIds)), options);
    let commands = store.kind::<Command>();
    let command = |status| Command {
        status,
        ..Command::new("h", OpSpec::new("pull"), Timestamp::from_micros(0))
    };
    commands.create("0-old", &command(CommandStatus::Success)).await.unwrap();
    commands.create("1-running", &command(CommandStatus::Executing)).await.unwrap();
    clock.advance(Duration::from_hours(2));
    for id in ["2", "3", "4"] {
        commands.create(id, &command(CommandStatus::Orphaned)).await.unwrap();
    }
    commands.create("5-queued", &command(CommandStatus::Queued)).await.unwrap();
    let feed = Feed::of(&store);
    let options = SyncOptions { commands: 2, ..SyncOptions::default() };
    let snapshot = init(&mut feed.subscribe(options)).await;
    assert_eq!(
        names(&snapshot),
        ["command/1-running", "command/3", "command/4", "command/5-queued"]
    );
    assert_eq!(snapshot.left_out.values().copied().collect::<Vec<_>>(), [2]);
    let snapshot = init(&mut feed.subscribe(SyncOptions::default())).await;
    assert_eq!(snapshot.items.len(), 5, "all but the one of two hours ago");
}
