//! What is stored, and what is not understood.

use outlast::{
    AttrName, AttrValue, Attributes, Batch, Cause, ErrorKind, Expect, Json, Op, Put, Session,
    Store, StoreOptions,
};
use outlast_core::Timestamp;

use crate::{BACKENDS, fresh};

/// Writes a session past the typed layer, as another program might.
async fn smuggle(store: &Store, id: &str, status: &str) {
    let session = serde_json::json!({
        "status": status, "session_tree_id": "tree", "branch_name": "main", "entry_count": 0,
        "created_at": "2024-01-01T00:00:00Z",
    });
    let put = Put {
        key: store.kind::<Session>().key(id).unwrap(),
        expect: Expect::Absent,
        schema: 1,
        attrs: Attributes::from([(AttrName::status(), AttrValue::from(status))]),
        state: Json::encode(&session).unwrap(),
    };
    let batch = Batch::new(store.ids().commit_id(), Cause::default()).with(Op::Put(put));
    store.commit(batch).await.unwrap();
}

/// I4. One definition of each status: what it does not know is an error in its place, and kept.
#[tokio::test]
async fn i4_an_unknown_status_is_reported_and_hides_nothing() {
    for backend in BACKENDS {
        let (store, _dir) = fresh(backend, StoreOptions::default()).await;
        let sessions = store.kind::<Session>();
        let session = Session::new("tree", "main", Timestamp::from_micros(1));
        sessions.create("a", &session).await.unwrap();
        smuggle(&store, "b", "half_open").await;
        sessions.create("c", &session).await.unwrap();

        let items = sessions.list(&sessions.query().unwrap()).await.unwrap().items;
        let [first, unknown, last] = items.as_slice() else { panic!("{backend}: {items:?}") };
        assert!(first.is_ok() && last.is_ok(), "{backend}");
        let error = unknown.as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{backend}: {error}");
        assert!(format!("{error:?}").contains("half_open"), "{backend}: {error:?}");
        let refused = sessions.transition("b", outlast::SessionStatus::Closed).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{backend}");
        let slot = store.get(&[sessions.key("b").unwrap()]).await.unwrap().pop().unwrap();
        let kept = slot.live().unwrap().unwrap();
        assert!(kept.state.as_str().contains("half_open"), "{backend}");
        store.close().await.unwrap();
    }
}

/// I16. The old version's content, exactly, as a new version; the history only grows.
#[tokio::test]
async fn i16_a_rollback_is_a_new_version_with_exactly_the_old_content() {
    for backend in BACKENDS {
        let (store, _dir) = fresh(backend, StoreOptions::default()).await;
        let sessions = store.kind::<Session>();
        let session = Session::new("tree", "main", Timestamp::from_micros(1));
        sessions.create("s", &session).await.unwrap();
        for _ in 0..4 {
            let more = |session: &mut Session| {
                session.entry_count += 1;
                Ok(())
            };
            sessions.update("s", more).await.unwrap();
        }
        for (wanted, count) in [(1, 0), (2, 1), (5, 4)] {
            let before = sessions.get("s").await.unwrap().version.n;
            let back = sessions.rollback_to("s", wanted).await.unwrap();
            assert_eq!((back.version.n, back.entry_count), (before + 1, count), "{backend}");
            let past = sessions.history("s", outlast::Page::default()).await.unwrap().items;
            let past: Vec<_> = past.into_iter().map(Result::unwrap).collect();
            let state = |n: u64| {
                let version = past.iter().find(|past| past.version.version.n == n).unwrap();
                version.version.state.clone()
            };
            assert_eq!(state(before + 1), state(wanted), "{backend}: byte for byte");
        }
        let before = store.changes(outlast::Revision::ZERO, 100).await.unwrap().items.len();
        let error = sessions.rollback_to("s", 99).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::VersionGone, "{backend}");
        let after = store.changes(outlast::Revision::ZERO, 100).await.unwrap().items.len();
        assert_eq!(before, after, "{backend}: a refused rollback writes nothing");
        store.close().await.unwrap();
    }
}
