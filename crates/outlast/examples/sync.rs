//! Following a store: a snapshot, then every change in order, and going on after a pause.
#![allow(clippy::print_stdout)]

use outlast::sync::{Feed, Message, Mirror, Reaction, SyncOptions};
use outlast::{Session, SessionStatus};

#[tokio::main(flavor = "current_thread")]
async fn main() -> outlast::Result<()> {
    let store = outlast::open("memory:").await?;
    let sessions = store.kind::<Session>();
    let session = Session::new("tree", "main", store.clock().now());
    sessions.create("before", &session).await?;

    let feed = Feed::of(&store);
    let mut subscription = feed.subscribe(SyncOptions::default());
    let mut mirror = Mirror::new();
    let first = subscription.next().await?;
    assert_eq!(mirror.apply(&first), Reaction::Applied);
    println!("snapshot with {} session", mirror.items().count());

    sessions.create("after", &session).await?;
    sessions.transition("before", SessionStatus::Closed).await?;
    for _ in 0..2 {
        let message = subscription.next().await?;
        let Message::Delta(delta) = &message else { continue };
        for item in &delta.items {
            println!("{} {:?} at version {}", item.key, item.op, item.version);
        }
        assert_eq!(mirror.apply(&message), Reaction::Applied);
    }

    // The client goes away and comes back later: it is told what it missed, and only that.
    drop(subscription);
    let known = mirror.position().unwrap_or_else(|| first.position());
    sessions.transition("after", SessionStatus::Closed).await?;
    let mut again = feed.subscribe(SyncOptions::default().resuming(known));
    let missed = again.next().await?;
    assert_eq!(missed.position().revision, known.revision.next());
    println!("missed: {}", missed.to_json()?.as_str().starts_with("{\"type\":\"delta\""));
    store.close().await
}
