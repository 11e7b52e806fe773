//! Copying entities verbatim from another store.

use outlast_core::{
    Action, Attributes, Epoch, ErrorKind, Key, Op, Outcome, Revision, Slot, Timestamp, Version,
    Versioned,
};

use crate::ops::{int, item, number, put};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(merged_record_keeps_everything_but_its_revision),
        Case::of(merged_history_lies_beneath_the_head),
        Case::of(merges_of_one_entity_commute),
        Case::of(merge_of_an_older_version_leaves_the_head),
        Case::of(repeated_merge_brings_nothing_new),
        Case::of(other_content_under_one_version_is_diverged),
        Case::of(diverged_history_is_diverged),
        Case::of(diverged_merge_applies_nothing_of_its_batch),
        Case::of(merged_tombstone_deletes),
        Case::of(merged_tombstone_keeps_a_newer_life),
        Case::of(newer_epoch_wins_over_higher_number),
        Case::of(writes_go_on_from_a_merged_version),
        Case::of(merged_history_is_not_in_the_feed),
        Case::of(history_of_another_entity_is_invalid),
        Case::of(history_newer_than_its_record_is_invalid),
        Case::of(version_zero_is_invalid),
    ]
}

/// A version as another store would have it: its content follows from its number.
pub(super) fn foreign(t: &Trial, key: &Key, version: Version) -> Versioned {
    let value = i64::try_from(version.n).unwrap() * 10;
    let id = outlast_core::CommitId::of(uuid::Uuid::from_u128(u128::from(version.n)));
    Versioned {
        key: key.clone(),
        version,
        revision: Revision(version.n + 500),
        commit: id,
        at: Timestamp::from_micros(t.now().as_micros() - 1_000_000_000 + value),
        action: Action::new("elsewhere").unwrap(),
        actor: Some(outlast_core::Actor::Migration),
        reason: Some(format!("reason {}", version.n)),
        metadata: Some(number(value)),
        schema: 7,
        attrs: int("x", value),
        state: Some(number(value)),
    }
}

fn grave(t: &Trial, key: &Key, version: Version) -> Versioned {
    Versioned { state: None, attrs: Attributes::new(), ..foreign(t, key, version) }
}

fn merge(record: &Versioned, history: &[Versioned]) -> Op {
    Op::MergeRecord { record: Box::new(record.clone()), history: history.to_vec() }
}

fn at(epoch: u64, n: u64) -> Version {
    Version::new(Epoch(epoch), n)
}

async fn merged_record_keeps_everything_but_its_revision(t: Trial) {
    let theirs = foreign(&t, &item("a"), at(9, 4));
    let receipt = t.apply([merge(&theirs, &[])]).await;
    assert_eq!(receipt.versions, [(item("a"), at(9, 4))]);
    let ours = t.versions(&item("a")).await.remove(0);
    assert_eq!(ours, Versioned { revision: receipt.revision, ..theirs.clone() });
    let record = t.record(&item("a")).await;
    assert_eq!((record.version, record.updated_at, record.schema), (at(9, 4), theirs.at, 7));
    assert_eq!(
        t.ids(crate::ops::items(5).filter(outlast_core::Filter::is(crate::ops::name("x"), 40,)))
            .await,
        ["a"]
    );
}

async fn merged_history_lies_beneath_the_head(t: Trial) {
    let all = [1, 2, 3].map(|n| foreign(&t, &item("a"), at(9, n)));
    t.apply([merge(&all[2], &all[..2])]).await;
    let versions = t.versions(&item("a")).await;
    assert_eq!(versions.iter().map(|v| v.version).collect::<Vec<_>>(), [1, 2, 3].map(|n| at(9, n)));
    assert_eq!(versions[0].revision, Revision::ZERO);
    assert_eq!(versions[0], Versioned { revision: Revision::ZERO, ..all[0].clone() });
    assert_eq!(t.record(&item("a")).await.state, number(30));
}

async fn merges_of_one_entity_commute(t: Trial) {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let versions = [at(9, 1), at(9, 2), at(10, 1), at(10, 2), at(10, 3)];
    for order in orders {
        let key = item(&format!("{order:?}"));
        let all = versions.map(|version| foreign(&t, &key, version));
        let pieces = [merge(&all[1], &all[..1]), merge(&all[2], &[]), merge(&all[4], &all[3..4])];
        for piece in order {
            t.apply([pieces[piece].clone()]).await;
        }
        assert_eq!(t.record(&key).await.version, versions[4], "{key}");
        let found: Vec<Version> = t.versions(&key).await.iter().map(|v| v.version).collect();
        assert_eq!(found, versions, "{key}");
    }
}

async fn merge_of_an_older_version_leaves_the_head(t: Trial) {
    t.apply([merge(&foreign(&t, &item("a"), at(9, 5)), &[])]).await;
    let receipt = t.apply([merge(&foreign(&t, &item("a"), at(9, 2)), &[])]).await;
    assert_eq!(receipt.versions, []);
    assert_eq!(t.record(&item("a")).await.version, at(9, 5));
    assert_eq!(t.versions(&item("a")).await.len(), 2);
    let by_attr =
        |value| crate::ops::items(5).filter(outlast_core::Filter::is(crate::ops::name("x"), value));
    assert_eq!(t.ids(by_attr(20)).await, [""; 0], "old attributes are in the index");
    assert_eq!(t.ids(by_attr(50)).await, ["a"]);
}

async fn repeated_merge_brings_nothing_new(t: Trial) {
    let all = [1, 2, 3].map(|n| foreign(&t, &item("a"), at(9, n)));
    t.apply([merge(&all[2], &all[..2])]).await;
    let before = t.everything().await;
    for (record, history) in [(&all[2], &all[..2]), (&all[1], &all[..1]), (&all[0], &[])] {
        let receipt = t.apply([merge(record, history)]).await;
        assert_eq!((receipt.versions, receipt.appended), (vec![], vec![]));
    }
    assert_eq!(t.everything().await, before);
}

async fn other_content_under_one_version_is_diverged(t: Trial) {
    let theirs = foreign(&t, &item("a"), at(9, 2));
    t.apply([merge(&theirs, &[])]).await;
    for other in [
        Versioned { state: Some(number(99)), ..theirs.clone() },
        Versioned { state: None, ..theirs.clone() },
        Versioned { attrs: int("x", 21), ..theirs.clone() },
        Versioned { reason: None, ..theirs.clone() },
        Versioned { schema: 8, ..theirs.clone() },
    ] {
        assert_eq!(t.refused(&t.batch([merge(&other, &[])])).await, ErrorKind::Diverged);
    }
}

async fn diverged_history_is_diverged(t: Trial) {
    let all = [1, 2, 3].map(|n| foreign(&t, &item("a"), at(9, n)));
    t.apply([merge(&all[1], &all[..1])]).await;
    let other = Versioned { state: Some(number(99)), ..all[0].clone() };
    let batch = t.batch([merge(&all[2], &[other])]);
    assert_eq!(t.refused(&batch).await, ErrorKind::Diverged);
}

async fn diverged_merge_applies_nothing_of_its_batch(t: Trial) {
    let theirs = foreign(&t, &item("a"), at(9, 2));
    t.apply([merge(&theirs, &[])]).await;
    let other = Versioned { state: Some(number(99)), ..theirs };
    let batch = t.batch([
        put(&item("b"), 1),
        merge(&foreign(&t, &item("c"), at(9, 1)), &[]),
        merge(&other, &[]),
    ]);
    assert_eq!(t.refused(&batch).await, ErrorKind::Diverged);
}

async fn merged_tombstone_deletes(t: Trial) {
    t.apply([merge(&foreign(&t, &item("a"), at(9, 1)), &[])]).await;
    let grave = grave(&t, &item("a"), at(9, 2));
    t.apply([merge(&grave, &[])]).await;
    let key = item("a");
    assert_eq!(t.slot(&key).await, Slot::Tombstone { key, version: at(9, 2), at: grave.at });
    assert_eq!(t.ids(crate::ops::items(5)).await, [""; 0]);
    assert_eq!(t.write(put(&item("a"), 1)).await.n, 3);
}

async fn merged_tombstone_keeps_a_newer_life(t: Trial) {
    t.apply([merge(&foreign(&t, &item("a"), at(9, 3)), &[])]).await;
    t.apply([merge(&grave(&t, &item("a"), at(9, 2)), &[])]).await;
    assert_eq!(t.record(&item("a")).await.version, at(9, 3));
    let states: Vec<bool> = t.versions(&item("a")).await.iter().map(Versioned::is_live).collect();
    assert_eq!(states, [false, true]);
}

async fn newer_epoch_wins_over_higher_number(t: Trial) {
    t.apply([merge(&foreign(&t, &item("a"), at(9, 8)), &[])]).await;
    t.apply([merge(&foreign(&t, &item("a"), at(10, 2)), &[])]).await;
    assert_eq!(t.record(&item("a")).await.version, at(10, 2));
    let found: Vec<Version> = t.versions(&item("a")).await.iter().map(|v| v.version).collect();
    assert_eq!(found, [at(9, 8), at(10, 2)], "history is in the order of versions");
}

async fn writes_go_on_from_a_merged_version(t: Trial) {
    let epoch = t.store.info().epoch.0;
    let newer = foreign(&t, &item("a"), at(epoch + 5, 4));
    t.apply([merge(&newer, &[])]).await;
    assert_eq!(t.write(put(&item("a"), 1)).await, at(epoch + 5, 5));
}

async fn merged_history_is_not_in_the_feed(t: Trial) {
    let all = [1, 2, 3].map(|n| foreign(&t, &item("a"), at(9, n)));
    t.apply([merge(&all[1], &[])]).await;
    t.apply([merge(&all[2], &[])]).await;
    let outcome = t.commit(&t.batch([merge(&all[0], &[])])).await;
    assert!(matches!(outcome, Outcome::Applied(_)));
    let feed = t.feed().await;
    let versions: Vec<Vec<u64>> = feed
        .into_iter()
        .map(|change| change.versions.into_iter().map(|v| v.unwrap().version.n).collect())
        .collect();
    assert_eq!(versions, [vec![2], vec![3], vec![]]);
}

async fn history_of_another_entity_is_invalid(t: Trial) {
    let record = foreign(&t, &item("a"), at(9, 2));
    let stray = foreign(&t, &item("b"), at(9, 1));
    assert_eq!(t.refused(&t.batch([merge(&record, &[stray])])).await, ErrorKind::Invalid);
}

async fn history_newer_than_its_record_is_invalid(t: Trial) {
    let all = [1, 2, 3].map(|n| foreign(&t, &item("a"), at(9, n)));
    let batch = t.batch([merge(&all[1], &all[2..])]);
    assert_eq!(t.refused(&batch).await, ErrorKind::Invalid);
    let twice = [all[0].clone(), all[0].clone()];
    assert_eq!(t.refused(&t.batch([merge(&all[1], &twice)])).await, ErrorKind::Invalid);
}

async fn version_zero_is_invalid(t: Trial) {
    let record = foreign(&t, &item("a"), at(9, 0));
    assert_eq!(t.refused(&t.batch([merge(&record, &[])])).await, ErrorKind::Invalid);
}
