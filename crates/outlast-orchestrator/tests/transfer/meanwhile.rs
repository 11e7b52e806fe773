//! Exports of a store that others write to and prune: they show one moment, or say that they
//! cannot.

use std::sync::Arc;

use outlast_core::{Backend, ErrorKind, Prune, PrunePlan, RandomIds};
use outlast_memory::Memory;
use outlast_orchestrator::transfer::export;
use outlast_store::{Store, StoreOptions};

use crate::content::{append, commit, delete, interfere, key, log, now, put, touch, up_to};
use crate::{body, exported, imported, store};

fn id(n: usize) -> String {
    format!("{n:03}")
}

fn opened() -> (Arc<Memory>, Store) {
    let memory = Arc::new(Memory::new(&RandomIds));
    let store = Store::open(memory.clone(), StoreOptions::default());
    (memory, store)
}

async fn filled() -> (Arc<Memory>, Store) {
    let (memory, store) = opened();
    for n in 0..200 {
        commit(&store, put(key(&id(n)), "1")).await;
        commit(&store, append(log(&id(n)), &["x", "y"])).await;
    }
    commit(&store, delete(key(&id(7)))).await;
    commit(&store, delete(key(&id(150)))).await;
    (memory, store)
}

/// Exports, and lets somebody act between two pages.
async fn while_exporting(
    store: &Store,
    mut act: impl FnMut(usize) + Send,
) -> outlast_core::Result<String> {
    let (mut lines, mut pages) = (Vec::new(), 0);
    let mut between = |_| {
        pages += 1;
        act(pages);
    };
    export(store, &mut lines, &mut between).await?;
    assert!(pages > 5, "several pages");
    Ok(String::from_utf8(lines).unwrap())
}

#[tokio::test]
async fn an_export_shows_the_commit_it_began_at_whatever_is_written_meanwhile() {
    let (memory, store) = filled().await;
    let before = exported(&store).await;
    let lines = while_exporting(&store, |page| {
        for n in [3, 100, 199, 7, 150] {
            interfere(&memory, put(key(&id(n)), "2"));
            interfere(&memory, append(log(&id(n)), &["later"]));
        }
        interfere(&memory, delete(key(&id(page))));
        interfere(&memory, touch(key(&id(199)), "beat", 1));
        interfere(&memory, put(key(&format!("new{page}")), "1"));
        interfere(&memory, put(outlast_core::Key::new("later", "a").unwrap(), "1"));
        interfere(&memory, append(log(&format!("new{page}")), &["1"]));
    });
    let lines = lines.await.unwrap();
    let without = |lines: &str| -> Vec<String> {
        let kept = |line: &&str| !line.starts_with("{\"transient\"") && !line.contains("\"end\"");
        body(lines).lines().filter(kept).map(str::to_owned).collect()
    };
    assert_eq!(without(&lines), without(&before));
    imported(&self::store(), &lines).await.unwrap();
}

#[tokio::test]
async fn transient_attributes_of_a_later_life_are_left_out() {
    let (memory, store) = filled().await;
    let lines = while_exporting(&store, |_| {
        interfere(&memory, put(key(&id(150)), "2"));
        interfere(&memory, touch(key(&id(150)), "beat", 1));
    });
    imported(&self::store(), &lines.await.unwrap()).await.unwrap();
}

/// What a prune in the middle of the export does to it.
async fn pruned(act: impl Fn(&Memory) + Send + Sync) -> outlast_core::Result<String> {
    let (memory, store) = filled().await;
    while_exporting(&store, |page| {
        if page == 2 {
            act(&memory);
        }
    })
    .await
}

fn prune(memory: &Memory, item: Prune) {
    let plan = PrunePlan { items: vec![item] };
    assert!(now(memory.prune(&plan, 1000)).unwrap().done);
}

#[tokio::test]
async fn an_entity_that_is_deleted_and_pruned_meanwhile_ends_the_export() {
    for n in [0, 190] {
        let result = pruned(|memory| {
            interfere(memory, delete(key(&id(n))));
            let view = now(memory.get(&[key(&id(n))])).unwrap();
            let [outlast_core::Slot::Tombstone { version, .. }] = view[..] else { panic!() };
            prune(memory, Prune::Tombstone { key: key(&id(n)), version });
        });
        let error = result.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
        assert!(error.is_retryable() && error.to_string().contains("retention"), "{error}");
    }
}

#[tokio::test]
async fn an_entity_that_is_gone_before_it_was_reached_is_missed() {
    let (memory, store) = opened();
    for n in 0..400 {
        commit(&store, put(key(&id(n)), "1")).await;
    }
    let result = while_exporting(&store, |page| {
        if page == 2 {
            interfere(&memory, delete(key(&id(390))));
            let view = now(memory.get(&[key(&id(390))])).unwrap();
            let [outlast_core::Slot::Tombstone { version, .. }] = view[..] else { panic!() };
            prune(&memory, Prune::Tombstone { key: key(&id(390)), version });
        }
    });
    assert_eq!(result.await.unwrap_err().kind(), ErrorKind::Busy);
}

#[tokio::test]
async fn an_entity_whose_state_at_the_moment_is_pruned_meanwhile_ends_the_export() {
    let result = pruned(|memory| {
        interfere(memory, put(key(&id(190)), "2"));
        prune(memory, Prune::History { key: key(&id(190)), below: 2 });
    });
    assert_eq!(result.await.unwrap_err().kind(), ErrorKind::Busy);
}

#[tokio::test]
async fn older_history_and_entries_that_are_pruned_meanwhile_are_just_not_there() {
    let lines = pruned(|memory| prune(memory, up_to(log(&id(190)), 1))).await.unwrap();
    assert!(imported(&store(), &lines).await.unwrap().tally.entries == 399);
}

#[tokio::test]
async fn a_stream_that_is_emptied_meanwhile_keeps_its_place() {
    let lines = pruned(|memory| {
        interfere(memory, append(log(&id(190)), &["later"]));
        prune(memory, up_to(log(&id(190)), 3));
    });
    let to = store();
    imported(&to, &lines.await.unwrap()).await.unwrap();
    commit(&to, append(log(&id(190)), &["on"])).await;
    assert_eq!(crate::content::entries(&to, log(&id(190))).await[0].seq.0, 3);
}
