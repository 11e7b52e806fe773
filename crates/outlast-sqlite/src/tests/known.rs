//! What is known in memory is used, and never when somebody else has written since.

use outlast_core::{AttrName, Backend, Key, Op, Slot, read_set};

use super::{append, batch, key, open, plans, put, send};
use crate::Sqlite;
use crate::script::Script;

async fn content(store: &Sqlite, key: &Key) -> Option<(u64, String, usize)> {
    let slot = store.get(std::slice::from_ref(key)).await.unwrap().remove(0);
    let record = slot.live().unwrap()?;
    Some((record.version.n, record.state.as_str().to_owned(), record.transient.len()))
}

fn touch(key: &Key) -> Op {
    Op::Touch { key: key.clone(), attrs: [(AttrName::new("beat").unwrap(), 1.into())].into() }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn what_is_known_is_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (item, log) = (key("item", "a"), key("log", "l"));
    send(&store, &batch([put(&item, "1", 1), append(&log, b"x")])).await.unwrap();
    plans::take();
    let next = batch([put(&item, "2", 1), append(&log, b"y")]);
    let view = store.fetch_view(&read_set([&next])).await.unwrap();
    assert_eq!((view.revision.0, view.heads.len(), view.streams.len()), (1, 1, 1));
    assert_eq!(content(&store, &item).await, Some((1, "1".to_owned(), 0)));
    assert_eq!(plans::take(), Vec::<String>::new());
    send(&store, &next).await.unwrap();
    let repeated = store.fetch_view(&read_set([&next])).await.unwrap();
    assert_eq!(repeated.commits.len(), 1, "a commit that was made is looked up");
}

#[tokio::test]
async fn what_another_wrote_is_seen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let stores = [open(folder.path()).await, open(folder.path()).await];
    let item = key("item", "a");
    let (mut version, mut beats) = (0, 0);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..200 {
        let store = random.choice(&stores).unwrap();
        match random.u8(0..4) {
            0 if version > 0 => {
                send(store, &batch([touch(&item)])).await.unwrap();
                beats = 1;
            }
            1 => {
                version += 1;
                send(store, &batch([put(&item, &version.to_string(), 1)])).await.unwrap();
            }
            _ => {
                let store = random.choice(&stores).unwrap();
                let expected = (version > 0).then(|| (version, version.to_string(), beats));
                assert_eq!(content(store, &item).await, expected);
                let view = store.fetch_view(&read_set([&batch([touch(&item)])])).await.unwrap();
                assert_eq!(view.heads.get(&item).map_or(0, |head| head.version.n), version);
            }
        }
    }
}

#[tokio::test]
async fn a_commit_of_another_is_found_by_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (open(folder.path()).await, open(folder.path()).await);
    let (first, second) =
        (batch([append(&key("log", "l"), b"x")]), batch([put(&key("item", "a"), "1", 1)]));
    send(&one, &first).await.unwrap();
    send(&two, &second).await.unwrap();
    for store in [&one, &two] {
        let view = store.fetch_view(&read_set([&first, &second])).await.unwrap();
        assert_eq!(view.commits.len(), 2);
    }
}

#[tokio::test]
async fn nothing_is_known_of_the_time_before_a_connection_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let item = key("item", "a");
    send(&store, &batch([put(&item, "1", 1)])).await.unwrap();
    let before = store.connections.moment();
    // Cut off: it is not put back.
    drop(store.connections.writer().await.unwrap());
    store.connections.writer().await.unwrap().keep();
    let after = store.connections.moment();
    assert!(before.is_none() || before != after);
    let mut writer = store.connections.writer().await.unwrap();
    let mut script = Script::new();
    script.sql("UPDATE history SET state = '2'").end();
    store.run_write(&mut writer, script).await.unwrap();
    writer.keep();
    let slots = store.get(std::slice::from_ref(&item)).await.unwrap();
    assert!(matches!(slots[0], Slot::Damaged(_)), "what lies there now is read");
}
