//! Kinds with a redactor: what is hidden, and what is not.

use outlast_core::{
    AttrName, Attributes, Cause, Entity, ErrorKind, Json, Kind, NoStatus, Scope, Versioned,
};
use outlast_store::{AuditQuery, AuditState, Store, StoreOptions};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::kinds::{Login, change_password, login};
use crate::{kind, memory, store};

fn cause() -> Cause {
    let metadata = Json::parse(r#"{"password":"hunter0","from":"form"}"#).unwrap();
    Cause { metadata: Some(metadata), ..Cause::default() }
}

/// Every entry of the audit, as text.
async fn audit(store: &Store) -> (Vec<[AuditState; 2]>, String) {
    let entries = store.audit(&AuditQuery::default()).await.unwrap().items;
    let text = format!("{entries:?}");
    let states = entries.into_iter().map(|entry| entry.map(|e| [e.before, e.after]).unwrap());
    (states.collect(), text)
}

async fn history(store: &Store, kind: &str) -> Vec<Versioned> {
    let scope = Scope::All(Some(Kind::new(kind).unwrap()));
    let page = store.history(&outlast_core::HistoryQuery::of(scope)).await.unwrap();
    page.items.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn an_audit_shows_no_secret_in_any_of_its_places() {
    let memory = memory();
    let store = Store::open(memory.clone(), StoreOptions::default());
    let logins = store.kind::<Login>().with_cause(cause());
    logins.create("ann", &login("hunter1")).await.unwrap();
    logins.update("ann", change_password("hunter2")).await.unwrap();
    logins.checkpoint("ann", "by hand").await.unwrap();
    logins.rollback_to("ann", 1).await.unwrap();
    logins.delete(&logins.get("ann").await.unwrap()).await.unwrap();

    let (states, text) = audit(&store).await;
    assert!(!text.contains("hunter") && text.contains(r#""from":"form""#), "{text}");
    let shown =
        AuditState::Shown(Json::encode(&json!({ "user": "ann", "password": "***" })).unwrap());
    let (absent, hidden) = (AuditState::Absent, AuditState::Hidden);
    let pair = |before: &AuditState, after: &AuditState| [before.clone(), after.clone()];
    let expected = [
        pair(&shown, &absent),
        pair(&absent, &hidden),
        pair(&shown, &shown),
        pair(&absent, &hidden),
        pair(&shown, &shown),
        pair(&absent, &shown),
    ];
    assert_eq!(states, expected);

    // A program that does not know the kind shows nothing of it.
    let stranger = Store::open(memory, StoreOptions::default());
    let (states, text) = audit(&stranger).await;
    assert!(!text.contains("hunter"), "{text}");
    assert!(states.iter().flatten().all(|s| [&absent, &hidden].contains(&s)), "{states:?}");
}

#[tokio::test]
async fn the_content_itself_stays_as_it_is() {
    let store = store();
    let logins = store.kind::<Login>();
    logins.create("ann", &login("hunter1")).await.unwrap();
    logins.update("ann", change_password("hunter2")).await.unwrap();
    let back = logins.rollback_to("ann", 1).await.unwrap();
    assert_eq!(back.password, "hunter1");
    assert_eq!(logins.get("ann").await.unwrap().into_value(), login("hunter1"));
    let saved = logins.latest_checkpoint("ann").await.unwrap().unwrap();
    assert!(saved.data.as_str().contains("hunter2"));
}

#[tokio::test]
async fn secrets_are_marked_where_they_are_stored() {
    let store = store();
    let logins = store.kind::<Login>();
    logins.create("ann", &login("hunter1")).await.unwrap();
    logins.update("ann", change_password("hunter2")).await.unwrap();
    logins.rollback_to("ann", 1).await.unwrap();
    for kind in ["login", "checkpoint"] {
        let versions = history(&store, kind).await;
        assert!(!versions.is_empty());
        for version in versions {
            assert!(version.attrs.contains_key(&AttrName::redacted()), "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_program_that_does_not_know_the_kind_records_no_metadata_about_it() {
    let memory = memory();
    let logins = Store::open(memory.clone(), StoreOptions::default()).kind::<Login>();
    let made = logins.create("ann", &login("hunter1")).await.unwrap();
    let stranger = Store::open(memory, StoreOptions::default());
    let because = cause().because("as told");
    let done = stranger.rollback(&made.key, 1, because).await.unwrap();
    let versions = history(&stranger, "login").await;
    let metadata = versions[1].metadata.as_ref().unwrap().as_str();
    let expected = json!({ "to_version": 1, "checkpoint": done.checkpoint });
    assert_eq!(metadata, expected.to_string());
    assert_eq!(versions[1].reason.as_deref(), Some("as told"));
    assert_eq!(versions[1].state, versions[0].state);
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pretender {}

impl Entity for Pretender {
    type Status = NoStatus;
    const KIND: &'static str = "pretender";

    fn attributes(&self) -> outlast_core::Result<Attributes> {
        Ok(Attributes::from([(AttrName::redacted(), 1.into())]))
    }
}

#[tokio::test]
async fn no_kind_sets_the_mark_itself() {
    let made = store().kind::<Pretender>().create("a", &Pretender {}).await;
    assert_eq!(kind(made), ErrorKind::Invalid);
}
