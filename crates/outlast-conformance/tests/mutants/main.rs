//! The suite is able to fail: each planted flaw is found by the case that is meant to find it.

mod flawed;

use std::sync::Arc;
use std::time::Duration;

use outlast_conformance::{cases, differential, run_all, run_some, run_within};

use crate::flawed::{Flaw, FlawedHarness};

/// Each flaw, and the case that must notice it.
const NOTICED_BY: [(Flaw, &str); 48] = [
    (Flaw::IgnoresBase, "write_from_an_old_view_is_raced"),
    (Flaw::DropsLastVersion, "every_operation_of_a_batch_is_applied"),
    (Flaw::TearsCommits, "cancelled_commit_is_whole_or_absent"),
    (Flaw::WritesOneOfAGroup, "group_may_write_one_entity_many_times"),
    (Flaw::ReordersFeed, "feed_tells_every_commit_once_in_order"),
    (Flaw::SkipsInFeed, "feed_goes_on_after_any_revision"),
    (Flaw::HidesCompaction, "feed_before_pruned_history_is_compacted"),
    (Flaw::ForgetsCommits, "replay_after_later_writes_changes_nothing"),
    (Flaw::ForgetsDigest, "replayed_batch_gets_its_first_receipt"),
    (Flaw::DropsLastOfPage, "every_page_size_gives_the_same_walk"),
    (Flaw::RepeatsPages, "size_of_a_page_is_kept"),
    (Flaw::LosesTouches, "touch_sets_attributes_beside_the_record"),
    (Flaw::IgnoresUpperBound, "integer_ranges_keep_their_bounds"),
    (Flaw::IgnoresFilters, "equality_finds_just_that_value"),
    (Flaw::IgnoresOrder, "values_order_before_ids"),
    (Flaw::IgnoresDescending, "descending_reverses_ties_too"),
    (Flaw::ListsTombstones, "tombstones_are_listed_on_request_only"),
    (Flaw::CountsOnlyPage, "count_ignores_the_page"),
    (Flaw::SkipsStreamPlace, "places_count_from_one_without_gaps"),
    (Flaw::IncludesUntil, "times_bound_what_is_read"),
    (Flaw::StreamBeginsAtOne, "pruned_entries_are_gone_and_places_go_on"),
    (Flaw::IgnoresActor, "history_by_actor"),
    (Flaw::LosesMergedHistory, "merged_history_lies_beneath_the_head"),
    (Flaw::ForgetsVersions, "other_content_under_one_version_is_diverged"),
    (Flaw::TakesDeadForAlive, "put_expecting_absence_applies_to_absent_and_deleted"),
    (Flaw::ForgetsStatus, "action_is_derived_from_what_changed"),
    (Flaw::PrunesUnbounded, "prune_is_bounded_and_gets_done"),
    (Flaw::DonePruningTooEarly, "pruned_entries_are_gone_and_places_go_on"),
    (Flaw::PrunesAnyTombstone, "tombstone_is_pruned_only_if_it_still_is_one"),
    (Flaw::KeepsEveryCommit, "commits_that_only_appended_are_forgotten"),
    (Flaw::ForgetsYoungCommits, "commits_from_the_moment_on_are_not_forgotten"),
    (Flaw::ForgetsCommitsOfVersions, "commit_that_holds_a_version_is_not_forgotten"),
    (Flaw::NeverCloses, "closed_backend_refuses_everything"),
    (Flaw::ClosesOnce, "closing_twice_is_fine"),
    (Flaw::PromisesTooMuch, "fresh_store_says_what_it_is"),
    (Flaw::KeepsItsEpoch, "reopened_store_is_the_same_store"),
    (Flaw::RewritesJson, "json_is_kept_to_the_letter"),
    (Flaw::FoldsCase, "names_that_differ_little_are_different"),
    (Flaw::ReadsOnePastAnother, "readers_see_whole_batches"),
    (Flaw::PretendsToBackUp, "backup_copies_the_store_or_is_refused"),
    (Flaw::ForgetsKinds, "kinds_are_named"),
    (Flaw::CountsNothingVerified, "whole_store_verifies_and_is_counted"),
    (Flaw::Panics, "deleted_entity_is_a_tombstone"),
    (Flaw::ForgetsStatus, "put_expecting_a_status_applies_to_just_those"),
    (Flaw::IgnoresActor, "audit_is_narrowed_down_as_the_history_is"),
    (Flaw::DropsLastVersion, "rollback_saves_what_it_replaces_in_its_commit"),
    (Flaw::RewritesJson, "rollback_restores_to_the_letter"),
    (Flaw::IgnoresDescending, "checkpoints_are_listed_the_newest_first"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_flaw_is_noticed_by_its_case() {
    let mut missed = Vec::new();
    for (flaw, case) in NOTICED_BY {
        let report = run_some(Arc::new(FlawedHarness(flaw)), |name| name == case).await;
        assert_eq!(report.cases, 1, "there is no case {case}");
        if report.failed == 0 {
            missed.push((flaw, case));
        }
    }
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrapper_without_a_flaw_passes() {
    run_all(Arc::new(FlawedHarness(Flaw::None))).await.assert_passed();
    differential(Arc::new(FlawedHarness(Flaw::None)), 1, 10, 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_store_fails_instead_of_hanging() {
    let harness = Arc::new(FlawedHarness(Flaw::HangsInSync));
    let case = |name: &str| name == "sync_of_a_fresh_store_is_fine";
    let report = run_within(Duration::from_millis(300), harness, case).await;
    assert_eq!((report.cases, report.failed), (1, 1));
    assert!(report.to_string().contains("hangs"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn differential_run_notices_flaws_and_says_how_to_replay() {
    for flaw in [
        Flaw::DropsLastVersion,
        Flaw::TearsCommits,
        Flaw::ForgetsCommits,
        Flaw::LosesTouches,
        Flaw::SkipsStreamPlace,
        Flaw::LosesMergedHistory,
        Flaw::ForgetsVersions,
        Flaw::TakesDeadForAlive,
        Flaw::ForgetsStatus,
        Flaw::PrunesAnyTombstone,
        Flaw::KeepsEveryCommit,
        Flaw::ForgetsYoungCommits,
        Flaw::ForgetsCommitsOfVersions,
        Flaw::IgnoresUpperBound,
        Flaw::IncludesUntil,
        Flaw::IgnoresActor,
        Flaw::HidesCompaction,
    ] {
        let run = differential(Arc::new(FlawedHarness(flaw)), 7, 100, 40);
        let Err(error) = tokio::spawn(run).await else { panic!("{flaw:?} goes unnoticed") };
        let message = *error.into_panic().downcast::<String>().unwrap();
        assert!(message.contains("OUTLAST_SEED="), "{message}");
        assert!(message.contains("steps needed"), "{message}");
    }
}

#[test]
fn cases_have_names_of_their_own() {
    let mut names: Vec<&str> = cases().iter().map(|case| case.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    assert!(all >= 100, "{all} cases");
}
