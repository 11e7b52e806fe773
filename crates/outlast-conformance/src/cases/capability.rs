//! Declared capabilities work; what is not declared is refused and changes nothing.

use outlast_core::{
    Capability, Epoch, ErrorKind, OpenOptions, Outcome, Prune, PrunePlan, Seq, Space,
};

use crate::ops::{append, delete, item, items, kind, log, put};
use crate::snapshot::Snapshot;
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(fresh_store_says_what_it_is),
        Case::of(backup_copies_the_store_or_is_refused),
        Case::of(backup_overwrites_nothing),
        Case::of(compact_keeps_everything_or_is_refused),
        Case::of(size_is_told),
        Case::of(read_only_store_reads_or_is_refused),
        Case::of(second_opener_shares_waits_or_is_apart),
        Case::of(missing_store_is_not_created_unasked),
        Case::of(kinds_are_named),
    ]
}

async fn fill(t: &Trial) {
    t.apply([put(&item("a"), 1), put(&item("b"), 1), append(&log("l"), &["x", "y"])]).await;
    t.write(delete(&item("b"))).await;
}

async fn fresh_store_says_what_it_is(t: Trial) {
    let info = t.store.info();
    assert!(!info.name.is_empty() && !info.location.is_empty());
    assert!(info.schema_version > 0 && !info.read_only);
    for (n, capability) in info.capabilities.iter().enumerate() {
        assert!(!info.capabilities[..n].contains(capability), "{capability:?} twice");
    }
    if info.durability == outlast_core::Durability::Durable {
        let outlasts = info.can(Capability::Persistent) || t.site.is_reborn();
        assert!(outlasts, "durable means to outlast the process");
    }
    if info.can(Capability::Persistent) {
        assert_eq!(info.epoch, Epoch(1), "what is never forgotten is counted from the first epoch");
    }
    assert_eq!(t.store.info(), info);
}

async fn backup_copies_the_store_or_is_refused(t: Trial) {
    fill(&t).await;
    let before = t.everything().await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy");
    let result = t.backend().backup(&to).await;
    assert_eq!(t.everything().await, before);
    if !t.can(Capability::Backup) {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unsupported);
        assert!(!to.exists(), "a refused backup wrote something");
        return;
    }
    result.unwrap();
    t.write(put(&item("after"), 1)).await;
    let copy = t.site.open_copy(&to).await.unwrap();
    assert_eq!(Snapshot::of(&*copy).await, before);
    copy.close().await.unwrap();
}

async fn backup_overwrites_nothing(t: Trial) {
    fill(&t).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("taken");
    std::fs::write(&to, b"mine").unwrap();
    assert!(t.backend().backup(&to).await.is_err());
    assert_eq!(std::fs::read(&to).unwrap(), b"mine");
}

async fn compact_keeps_everything_or_is_refused(t: Trial) {
    fill(&t).await;
    let before = t.everything().await;
    let result = t.backend().compact().await;
    if t.can(Capability::Compact) {
        result.unwrap();
    } else {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    assert_eq!(t.everything().await, before);
    t.write(put(&item("after"), 1)).await;
}

async fn size_is_told(t: Trial) {
    let large = "x".repeat(50_000);
    t.apply([append(&log("l"), &[large.as_str(), large.as_str()])]).await;
    t.store.sync().await.unwrap();
    let size = t.backend().size().await.unwrap();
    assert!(size.bytes >= 50_000, "{size:?}");
    assert!(size.free <= size.bytes, "{size:?}");
}

async fn read_only_store_reads_or_is_refused(t: Trial) {
    fill(&t).await;
    let before = t.everything().await;
    let can = t.can(Capability::ReadOnly);
    t.store.close().await.unwrap();
    let opened = t.site.open(&OpenOptions::read_only()).await;
    if !can {
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Unsupported);
        return;
    }
    let reader = opened.unwrap();
    assert!(reader.info().read_only);
    assert_eq!(Snapshot::of(&*reader).await, before);
    let store = Trial::store_over(reader.clone(), &t.clock, &t.ids);
    let error = store.commit(t.batch([put(&item("a"), 2)])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    let plan = PrunePlan { items: vec![Prune::Stream(log("l"))] };
    assert_eq!(store.prune(&plan, 5).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(Snapshot::of(&*reader).await, before);
    store.close().await.unwrap();
}

async fn second_opener_shares_waits_or_is_apart(t: Trial) {
    fill(&t).await;
    let before = t.everything().await;
    let brief = std::time::Duration::from_millis(100);
    let options = OpenOptions { busy_timeout: brief, ..OpenOptions::default() };
    let second = t.site.open(&options).await;
    if !t.can(Capability::Persistent) {
        assert_eq!(second.unwrap().list(&items(5)).await.unwrap().items, []);
    } else if t.can(Capability::MultiProcess) {
        let second = Trial::store_over(second.unwrap(), &t.clock, &t.ids);
        for n in 0..6 {
            let batch = t.batch([put(&item("shared"), n)]);
            let store = if n % 2 == 0 { &second } else { &t.store };
            assert!(matches!(store.commit(batch).await.unwrap(), Outcome::Applied(_)));
        }
        assert_eq!(t.versions(&item("shared")).await.len(), 6);
        assert_eq!(Snapshot::of(&**second.backend()).await, t.everything().await);
        second.close().await.unwrap();
        t.write(put(&item("a"), 2)).await;
        return;
    } else {
        assert_eq!(second.unwrap_err().kind(), ErrorKind::Busy);
    }
    assert_eq!(t.everything().await, before);
    t.write(put(&item("a"), 2)).await;
}

async fn missing_store_is_not_created_unasked(t: Trial) {
    fill(&t).await;
    let persistent = t.can(Capability::Persistent);
    t.store.close().await.unwrap();
    // What is there opens with the options that create nothing.
    if persistent {
        let again = t.site.open(&OpenOptions::existing()).await.unwrap();
        assert_eq!(again.list(&items(5)).await.unwrap().items.len(), 1);
        again.close().await.unwrap();
    } else {
        let again = t.site.open(&OpenOptions::default()).await.unwrap();
        assert_eq!(again.list(&items(5)).await.unwrap().items, []);
    }
}

async fn kinds_are_named(t: Trial) {
    assert_eq!(t.store.kinds().await.unwrap(), outlast_core::Kinds::default());
    fill(&t).await;
    let other = outlast_core::Key::new("other", "a").unwrap().in_space(Space(7));
    let version = t.write(put(&other, 1)).await;
    t.apply([append(&outlast_core::Key::new("tape", "a").unwrap(), &["x"])]).await;
    let grave = t.write(delete(&other)).await;
    assert_eq!((version.n, grave.n), (1, 2));
    let stream = log("l");
    let plan = PrunePlan { items: vec![Prune::Entries { stream, up_to: Seq(u64::MAX >> 1) }] };
    while !t.store.prune(&plan, 10).await.unwrap().done {}
    let found = t.store.kinds().await.unwrap();
    let entities = [(Space(0), kind("item")), (Space(7), kind("other"))];
    assert_eq!(found.entities, entities.into());
    assert_eq!(found.streams, [kind("log"), kind("tape")].into());
    let items = vec![Prune::Tombstone { key: other, version: grave }, Prune::Stream(log("l"))];
    while !t.store.prune(&PrunePlan { items: items.clone() }, 10).await.unwrap().done {}
    let found = t.store.kinds().await.unwrap();
    assert_eq!(found.entities, [(Space(0), kind("item"))].into());
    assert_eq!(found.streams, [kind("tape")].into());
}
