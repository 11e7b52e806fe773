//! Files and pipes.

use std::os::unix::fs::PermissionsExt;

use outlast_core::ErrorKind;
use outlast_orchestrator::transfer::{export_file, import, import_file, spool};
use tokio::io::BufReader;

use crate::content::{commit, key, put, revision};
use crate::{body, exported, store};

#[tokio::test]
async fn a_file_takes_the_whole_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.jsonl");
    let (from, to) = (store(), store());
    commit(&from, put(key("a"), "1")).await;
    let report = export_file(&from, &path, &mut |_| {}).await.unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(report.bytes, bytes.len() as u64);
    assert_eq!((report.tally.versions, report.revision.0), (1, 1));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "only its owner may read it");
    import_file(&to, &path, &mut |_| {}).await.unwrap();
    assert_eq!(
        body(&exported(&to).await).as_bytes(),
        body(std::str::from_utf8(&bytes).unwrap()).as_bytes()
    );
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "nothing else is left");
}

#[tokio::test]
async fn an_export_that_fails_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.jsonl");
    std::fs::write(&path, "before").unwrap();
    let from = store();
    from.close().await.unwrap();
    let error = export_file(&from, &path, &mut |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains("state.jsonl"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_dropped_export_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.jsonl");
    std::fs::write(&path, "before").unwrap();
    let from = store();
    commit(&from, put(key("a"), "1")).await;
    for polls in 1..100 {
        let mut silent = |_| {};
        let mut running = Box::pin(export_file(&from, &path, &mut silent));
        let mut done = false;
        for _ in 0..polls {
            let polled = std::future::poll_fn(|context| {
                std::task::Poll::Ready(running.as_mut().poll(context).is_ready())
            });
            done = polled.await;
            if done {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        drop(running);
        if done {
            break;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text == "before" || text.ends_with("}}\n"), "{text}");
    }
    assert_ne!(std::fs::read_to_string(&path).unwrap(), "before");
    // The worker threads may still be about to remove what was abandoned.
    for _ in 0..1000 {
        if std::fs::read_dir(folder.path()).unwrap().count() == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("an unfinished file is left");
}

#[tokio::test]
async fn paths_that_lead_nowhere_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/such/file");
    let error = export_file(&store(), &path, &mut |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("no/such/file"), "{error}");
    let error = import_file(&store(), &path, &mut |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("no/such/file"), "{error}");
}

#[tokio::test]
async fn a_pipe_is_checked_whole_before_anything_is_written() {
    let from = store();
    commit(&from, put(key("a"), "1")).await;
    let lines = exported(&from).await;
    let to = store();
    let pipe = BufReader::new(spool(lines.as_bytes()).await.unwrap());
    import(&to, pipe, &mut |_| {}).await.unwrap();
    assert_eq!(body(&exported(&to).await), body(&lines));
    let to = store();
    let cut = spool(&lines.as_bytes()[..lines.len() - 5]).await.unwrap();
    let error = import(&to, BufReader::new(cut), &mut |_| {}).await.unwrap_err();
    assert_eq!((error.kind(), revision(&to).await), (ErrorKind::Invalid, 0));
}
