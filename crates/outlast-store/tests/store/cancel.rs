//! Futures dropped at every poll: what was asked happens whole or not at all, and everybody else
//! goes on.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use outlast_core::{
    AttrName, AttrValue, Attributes, Key, NewEntry, Outcome, Prune, PrunePlan, Scope, Slot,
};
use outlast_store::{Draft, Store, StoreOptions};
use tokio::task::yield_now;

use crate::kinds::{Counter, Door, Lock, Note, door, note};
use crate::shaky::Shaky;

/// Polls a future at most so often, letting everybody else run in between, and then drops it.
async fn polled<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

/// More polls than any method here takes.
const MOST_POLLS: usize = 60;

async fn prepared() -> Store {
    let store = Store::open(Shaky::sound(), StoreOptions::default());
    let notes = store.kind::<Note>();
    let first = notes.create("a", &note("one")).await.unwrap();
    notes.replace(&first, note("two")).await.unwrap();
    notes.checkpoint("a", "first").await.unwrap();
    store.kind::<Door>().create("d", &door(Lock::Open)).await.unwrap();
    store
}

fn pair(store: &Store) -> Draft {
    let mut draft = store.draft();
    draft.create("x", &note("left")).unwrap().create("y", &Counter { n: 1 }).unwrap();
    let entry = NewEntry { at: None, attrs: Attributes::new(), data: b"line".to_vec() };
    draft.append(Key::new("log", "x").unwrap(), vec![entry.clone(), entry]);
    draft
}

/// Everything in the store that does not differ from one run to the next.
async fn content(store: &Store) -> String {
    let keys = [("note", "a"), ("note", "b"), ("note", "x"), ("counter", "y"), ("door", "d")];
    let keys = keys.map(|(kind, id)| Key::new(kind, id).unwrap());
    let slots = match store.get(&keys).await {
        Ok(slots) => slots,
        Err(error) => return format!("{:?}", error.kind()),
    };
    let mut lines = Vec::new();
    for slot in slots {
        lines.push(match slot {
            Slot::Live(live) => {
                format!("{} {} {} {:?}", live.key, live.version, live.state, live.transient)
            }
            Slot::Tombstone { key, version, .. } => format!("{key} {version} deleted"),
            other => format!("{other:?}"),
        });
    }
    let history = outlast_core::HistoryQuery::of(Scope::All(None));
    let versions = store.history(&history).await.unwrap().items.len();
    let kinds = store.kinds().await.unwrap();
    format!("{lines:?} {versions} {kinds:?}")
}

type Call = fn(Store) -> Pin<Box<dyn Future<Output = ()>>>;

async fn check(name: &str, call: Call) {
    let before = content(&prepared().await).await;
    let store = prepared().await;
    call(store.clone()).await;
    let _ = store.sync().await;
    let after = content(&store).await;
    let (mut none, mut whole) = (0, 0);
    for times in 0..MOST_POLLS {
        let store = prepared().await;
        let finished = polled(call(store.clone()), times).await.is_some();
        let _ = store.sync().await;
        let found = content(&store).await;
        if found == after && (finished || found != before) {
            whole += 1;
        } else {
            assert_eq!(found, before, "{name} dropped after {times} polls");
            none += 1;
        }
        assert!(found == after || !finished, "{name} finished after {times} polls");
        if found != "Closed" {
            let notes = store.kind::<Note>();
            notes.update("a", |_| Ok(())).await.unwrap();
            notes.create("probe", &note("on")).await.unwrap();
        }
        if finished {
            assert!(none > 0 && whole > 0, "{name} was cut short at least once");
            return;
        }
    }
    panic!("{name} takes more than {MOST_POLLS} polls");
}

#[tokio::test]
async fn a_batch_or_barrier_happens_whole_or_not_at_all() {
    let calls: [(&str, Call); 6] = [
        ("commit", |store| Box::pin(async move { drop(pair(&store).commit().await.unwrap()) })),
        ("enqueue", |store| Box::pin(async move { pair(&store).enqueue().await.unwrap() })),
        ("prune", |store| {
            Box::pin(async move {
                let key = Key::new("note", "a").unwrap();
                let plan = PrunePlan { items: vec![Prune::History { key, below: 2 }] };
                assert!(store.prune(&plan, 10).await.unwrap().done);
            })
        }),
        ("close", |store| Box::pin(async move { store.close().await.unwrap() })),
        ("enqueue and sync", |store| {
            Box::pin(async move {
                pair(&store).enqueue().await.unwrap();
                store.sync().await.unwrap();
            })
        }),
        ("stream and create", |store| {
            Box::pin(async move {
                let notes = store.kind::<Note>();
                let all = notes.stream(notes.query().unwrap());
                let count = futures_util::StreamExt::count(all).await;
                notes.create("b", &note(&count.to_string())).await.unwrap();
            })
        }),
    ];
    for (name, call) in calls {
        check(name, call).await;
    }
}

#[tokio::test]
async fn a_change_of_one_entity_happens_whole_or_not_at_all() {
    let calls: [(&str, Call); 8] = [
        ("create", |store| {
            Box::pin(async move { drop(store.kind().create("b", &note("b")).await.unwrap()) })
        }),
        ("replace", |store| {
            Box::pin(async move {
                let notes = store.kind::<Note>();
                let stored = notes.get("a").await.unwrap();
                notes.replace(&stored, note("three")).await.unwrap();
            })
        }),
        ("replace_later", |store| {
            Box::pin(async move {
                let notes = store.kind::<Note>();
                let stored = notes.get("a").await.unwrap();
                notes.replace_later(&stored, note("three")).await.unwrap();
            })
        }),
        ("update", |store| {
            Box::pin(async move {
                let change = |value: &mut Note| {
                    value.text.push('!');
                    Ok(())
                };
                store.kind::<Note>().update("a", change).await.unwrap();
            })
        }),
        ("transition", |store| {
            Box::pin(async move {
                store.kind::<Door>().transition("d", Lock::Shut).await.unwrap();
            })
        }),
        ("delete", |store| {
            Box::pin(async move {
                let notes = store.kind::<Door>();
                notes.delete(&notes.get("d").await.unwrap()).await.unwrap();
            })
        }),
        ("touch", |store| {
            Box::pin(async move {
                let beat = (AttrName::new("beat").unwrap(), AttrValue::Int(1));
                store.kind::<Note>().touch("a", Attributes::from([beat])).await.unwrap();
            })
        }),
        ("rollback_to", |store| {
            Box::pin(async move {
                store.kind::<Note>().rollback_to("a", 1).await.unwrap();
            })
        }),
    ];
    for (name, call) in calls {
        check(name, call).await;
    }
}

#[tokio::test]
async fn saving_and_deciding_happen_whole_or_not_at_all() {
    let calls: [(&str, Call); 4] = [
        ("checkpoint", |store| {
            Box::pin(async move {
                store.kind::<Note>().checkpoint("a", "by hand").await.unwrap();
            })
        }),
        ("checkpoint_all", |store| {
            Box::pin(async move {
                let notes = store.kind::<Note>();
                let done = notes.checkpoint_all(&notes.query().unwrap(), "all").await.unwrap();
                assert_eq!(done.saved, 1);
            })
        }),
        ("restore", |store| {
            Box::pin(async move {
                let notes = store.kind::<Note>();
                let first = notes.latest_checkpoint("a").await.unwrap().unwrap();
                notes.restore(first.id()).await.unwrap();
            })
        }),
        ("commit_with", |store| {
            Box::pin(async move {
                let notes = store.kind::<Note>();
                let keys = [notes.key("a").unwrap(), Key::new("door", "d").unwrap()];
                let attempt = || async {
                    let note_read = notes.get("a").await?;
                    let door_read = store.kind::<Door>().get("d").await?;
                    let mut draft = store.draft();
                    draft.replace(&note_read, &note("three"))?;
                    draft.replace(&door_read, &door(Lock::Shut))?;
                    Ok((draft, ()))
                };
                store.commit_with(&keys, attempt).await.unwrap();
            })
        }),
    ];
    for (name, call) in calls {
        check(name, call).await;
    }
}

#[tokio::test]
async fn the_commit_id_tells_what_became_of_a_dropped_commit() {
    let (mut applied, mut replayed) = (0, 0);
    for times in 0..MOST_POLLS {
        let store = prepared().await;
        let draft = pair(&store);
        let finished = polled(draft.commit(), times).await.is_some();
        match store.commit(draft.batch().clone()).await.unwrap() {
            Outcome::Applied(_) => applied += 1,
            Outcome::Replayed(_) => replayed += 1,
            conflict @ Outcome::Conflict { .. } => panic!("applied without its id: {conflict:?}"),
        }
        let versions = store.kind::<Note>().get("x").await.unwrap().version.n;
        assert_eq!(versions, 1, "once, however often it is repeated");
        if finished {
            break;
        }
    }
    assert!(applied > 0 && replayed > 1, "{applied} {replayed}");
}

#[tokio::test]
async fn a_dropped_update_gives_up_its_turn() {
    let backend = Shaky::sound();
    let store = Store::open(backend.clone(), StoreOptions::default());
    let notes = store.kind::<Note>();
    notes.create("a", &note("one")).await.unwrap();
    let held = backend.hold();
    assert!(polled(notes.update("a", |_| Ok(())), 20).await.is_none());
    let next = tokio::spawn({
        let notes = notes.clone();
        async move { notes.update("a", |_| Ok(())).await }
    });
    drop(held);
    let version = next.await.unwrap().unwrap().version.n;
    assert_eq!(version, 3, "the dropped one had been handed in and was applied first");
}
