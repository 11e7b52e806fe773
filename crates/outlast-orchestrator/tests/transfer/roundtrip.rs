//! What is exported and imported is the same, whatever it is.

use std::future::poll_fn;
use std::io::Cursor;
use std::pin::pin;
use std::task::Poll;

use outlast_core::{Json, Prune};
use outlast_orchestrator::transfer::{Phase, Tally, export, import};
use outlast_store::Store;

use crate::content::{
    append, batch, commit, delete, entries, key, log, prune, put, revision, touch, up_to, versions,
};
use crate::random::{fill, seed};
use crate::{body, exported, imported, store};

#[tokio::test]
async fn random_content_survives_and_a_second_import_changes_nothing() {
    let base = seed();
    for seed in (0..30).map(|n| base.wrapping_add(n)) {
        let (from, to) = (store(), store());
        fill(&from, seed, 150).await;
        let lines = exported(&from).await;
        let report = imported(&to, &lines).await.unwrap();
        assert_eq!(report.diverged, 0, "{:?}", report.divergences);
        assert_eq!(body(&exported(&to).await), body(&lines));
        let before = revision(&to).await;
        let again = imported(&to, &lines).await.unwrap();
        assert_eq!((again.entities, again.entries, again.diverged), (0, 0, 0));
        assert_eq!(revision(&to).await, before);
        assert_eq!(body(&exported(&to).await), body(&lines));
    }
}

#[tokio::test]
async fn an_empty_store_is_exported_and_imported() {
    let lines = exported(&store()).await;
    assert_eq!(lines.lines().count(), 2);
    let report = imported(&store(), &lines).await.unwrap();
    assert_eq!(report.tally, Tally::default());
    assert_eq!(report.header.backend, "memory");
}

#[tokio::test]
async fn deletions_and_what_was_before_them_come_along() {
    let (from, to) = (store(), store());
    commit(&from, put(key("a"), "1")).await;
    commit(&from, delete(key("a"))).await;
    let report = imported(&to, &exported(&from).await).await.unwrap();
    assert_eq!(report.tally, Tally { entities: 1, versions: 2, ..Tally::default() });
    let versions = versions(&to, key("a")).await;
    assert_eq!(versions.iter().map(|v| v.state.is_some()).collect::<Vec<_>>(), [true, false]);
    commit(&to, put(key("a"), "2")).await;
    assert_eq!(crate::content::versions(&to, key("a")).await[2].version.n, 3);
}

#[tokio::test]
async fn an_emptied_stream_goes_on_counting() {
    let (from, to) = (store(), store());
    commit(&from, append(log("a"), &["x", "y", "z"])).await;
    prune(&from, up_to(log("a"), 3)).await;
    imported(&to, &exported(&from).await).await.unwrap();
    assert!(entries(&to, log("a")).await.is_empty());
    commit(&to, append(log("a"), &["on"])).await;
    assert_eq!(entries(&to, log("a")).await[0].seq.0, 4);
}

/// Polls an import at most so often and drops it, and says whether it came to its end.
async fn cut_off(to: &Store, lines: &str, polls: usize) -> bool {
    let mut silent = |_| {};
    let mut running = pin!(import(to, Cursor::new(lines.as_bytes().to_vec()), &mut silent));
    for _ in 0..polls {
        if poll_fn(|context| Poll::Ready(running.as_mut().poll(context).is_ready())).await {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test]
async fn an_import_that_was_cut_off_anywhere_is_completed_by_the_next() {
    let from = store();
    fill(&from, 7, 150).await;
    commit(&from, append(log("a"), &["x", "y"])).await;
    prune(&from, up_to(log("a"), u64::MAX)).await;
    let lines = exported(&from).await;
    for polls in 0..1000 {
        let to = store();
        let done = cut_off(&to, &lines, polls).await;
        let cut = body(&exported(&to).await).to_owned();
        assert_eq!(imported(&to, &lines).await.unwrap().diverged, 0);
        assert_eq!(body(&exported(&to).await), body(&lines), "cut off after {polls} polls");
        if done {
            assert_eq!(cut, body(&lines));
            assert!(polls > 5, "it was cut off here and there");
            return;
        }
    }
    panic!("the import never came to its end");
}

#[tokio::test]
async fn a_long_history_is_imported_in_steps() {
    let (from, to) = (store(), store());
    let long = format!("\"{}\"", "x".repeat(60_000));
    for n in 0..700 {
        let state = if n < 400 { "1" } else { &long };
        from.enqueue(batch(put(key("a"), state))).await.unwrap();
    }
    from.sync().await.unwrap();
    commit(&from, touch(key("a"), "beat", 7)).await;
    let lines = exported(&from).await;
    assert!(lines.len() > 16 << 20, "more than a batch may weigh");
    let report = imported(&to, &lines).await.unwrap();
    assert_eq!((report.entities, report.tally.versions), (1, 700));
    assert!(revision(&to).await > 10, "in steps");
    assert_eq!(body(&exported(&to).await), body(&lines));
}

#[tokio::test]
async fn a_buffer_of_the_callers_is_flushed() {
    let mut buffered = tokio::io::BufWriter::new(Vec::new());
    let report = export(&store(), &mut buffered, &mut |_| {}).await.unwrap();
    assert_eq!(buffered.get_ref().len() as u64, report.bytes);
}

#[tokio::test]
async fn many_small_versions_are_imported_in_steps() {
    let (from, to) = (store(), store());
    for _ in 0..1000 {
        from.enqueue(batch(put(key("a"), "1"))).await.unwrap();
    }
    from.sync().await.unwrap();
    let lines = exported(&from).await;
    assert_eq!(imported(&to, &lines).await.unwrap().entities, 1);
    assert_eq!(body(&exported(&to).await), body(&lines));
}

#[tokio::test]
async fn much_of_everything_is_imported_in_batches_that_fit() {
    let (from, to) = (store(), store());
    let entry = "y".repeat(10_000);
    for n in 0..3000 {
        from.enqueue(batch(put(key(&format!("{n:05}")), "{}"))).await.unwrap();
    }
    for _ in 0..300 {
        from.enqueue(batch(append(log("big"), &[&entry, &entry]))).await.unwrap();
    }
    from.sync().await.unwrap();
    let lines = exported(&from).await;
    let report = imported(&to, &lines).await.unwrap();
    assert_eq!((report.entities, report.entries), (3000, 600));
    assert_eq!(body(&exported(&to).await), body(&lines));
}

#[tokio::test]
async fn progress_is_told_in_order_and_ends_with_everything() {
    let from = store();
    for n in 0..1000 {
        from.enqueue(batch(put(key(&format!("{n:05}")), "{}"))).await.unwrap();
    }
    from.sync().await.unwrap();
    let (mut lines, mut told) = (Vec::new(), Vec::new());
    export(&from, &mut lines, &mut |progress| told.push(progress)).await.unwrap();
    assert!(told.len() > 10 && told.iter().all(|told| told.phase == Phase::Exporting));
    assert!(told.windows(2).all(|pair| pair[0].done.versions <= pair[1].done.versions));
    assert_eq!(told.last().unwrap().done.versions, 1000);
    told.clear();
    let input = Cursor::new(lines);
    import(&store(), input, &mut |progress| told.push(progress)).await.unwrap();
    let checking = told.iter().filter(|told| told.phase == Phase::Checking).count();
    assert!(checking >= 3 && told.len() > checking);
    assert!(told[..checking].iter().all(|told| told.total.is_none()));
    assert!(told[checking..].iter().all(|told| told.total.unwrap().versions == 1000));
    assert_eq!(told.last().unwrap().done.versions, 1000);
}

#[tokio::test]
async fn content_is_taken_over_to_the_letter() {
    let (from, to) = (store(), store());
    let pretty = "{\n  \"b\": 1.50,\n  \"a\": 1e2\n}\n";
    commit(&from, put(key("a"), pretty)).await;
    imported(&to, &exported(&from).await).await.unwrap();
    assert_eq!(versions(&to, key("a")).await[0].state, Some(Json::parse(pretty).unwrap()));
}

#[test]
fn what_is_exported_can_be_sent_to_another_thread() {
    fn is_send<T: Send>(_: T) {}
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    let store = store();
    is_send(imported(&store, ""));
    is_send(exported(&store));
}

#[tokio::test]
async fn pruned_history_stays_pruned() {
    let (from, to) = (store(), store());
    for state in ["1", "2", "3"] {
        commit(&from, put(key("a"), state)).await;
    }
    prune(&from, Prune::History { key: key("a"), below: 3 }).await;
    imported(&to, &exported(&from).await).await.unwrap();
    let kept: Vec<_> = versions(&to, key("a")).await.iter().map(|v| v.version.n).collect();
    assert_eq!(kept, [3]);
}
