//! Sessions.

use outlast_core::{ErrorKind, SessionStatus};
use outlast_orchestrator::swarm::NewSession;

use crate::support::{BACKENDS, agent, in_memory, stage, within};

#[tokio::test]
async fn a_session_counts_its_entries_until_it_is_closed() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        stage.swarm("s").await;
        let new = NewSession::new("tree", "main").called("x").of_swarm("s");
        let session = stage.orchestra.sessions().open(new).await.unwrap();
        session.record("one").await.unwrap();
        let two = session.record("two").await.unwrap();
        assert_eq!((two.entry_count, two.last_entry_id.as_deref()), (2, Some("two")));
        let again = session.record("two").await.unwrap();
        assert_eq!((again.version, again.entry_count), (two.version, 2), "{backend}");

        let closed = session.close().await.unwrap();
        assert_eq!(closed.status, SessionStatus::Closed);
        assert_eq!(closed.closed_at, Some(stage.now()));
        stage.pass(std::time::Duration::from_secs(1));
        assert_eq!(session.close().await.unwrap().version, closed.version, "{backend}");
        let refusal = session.record("three").await.unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::IllegalTransition, "{backend}");
        assert!(refusal.to_string().contains("closed"), "{refusal}");
        assert_eq!(session.get().await.unwrap().entry_count, 2);
        stage.store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_come_at_once_are_all_counted() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let session = stage.orchestra.sessions().open(NewSession::new("t", "main")).await.unwrap();
        let recording: tokio::task::JoinSet<_> = (0..16)
            .map(|number| {
                let session = session.clone();
                async move { drop(session.record(&format!("e{number}")).await.unwrap()) }
            })
            .collect();
        within(recording.join_all()).await;
        assert_eq!(session.get().await.unwrap().entry_count, 16, "{backend}");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_named_has_to_be_there() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let new = NewSession::new("tree", "main").of_swarm("nothing");
        let refusal = stage.orchestra.sessions().open(new).await.unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::NotFound, "{backend}: {refusal}");
        let swarm = stage.swarm("s").await;
        for new in [agent().in_session("nothing"), agent().made_by("nothing")] {
            let refusal = swarm.add(new).await.unwrap_err();
            assert_eq!(refusal.kind(), ErrorKind::NotFound, "{backend}: {refusal}");
        }
        assert_eq!(swarm.get().await.unwrap().metrics.total, 0, "{backend}");
        let parent = swarm.add(agent().called("p")).await.unwrap();
        stage.orchestra.sessions().open(NewSession::new("t", "m").called("x")).await.unwrap();
        let child = swarm.add(agent().made_by("p").in_session("x")).await.unwrap();
        let child = child.get().await.unwrap();
        assert_eq!(child.parent_id.as_deref(), Some(parent.id()));
        assert_eq!(child.session_id.as_deref(), Some("x"));
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_id_is_no_entry() {
    let stage = in_memory().await;
    let session = stage.orchestra.sessions().open(NewSession::new("t", "main")).await.unwrap();
    for (entry, kind) in
        [(String::new(), ErrorKind::Invalid), ("x".repeat(513), ErrorKind::TooLarge)]
    {
        assert_eq!(session.record(&entry).await.unwrap_err().kind(), kind);
    }
}
