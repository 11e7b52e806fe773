//! Content across versions of a program: unknown fields, older and newer schemas, old names.

use outlast_core::{Entity, ErrorKind, HistoryQuery, NoStatus, Page, Result, Scope};
use outlast_store::Store;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{kind, store};

macro_rules! person {
    ($name:ident, $schema:literal, $(#[$attr:meta])* { $($(#[$field_attr:meta])* $field:ident : $type:ty),* }) => {
        $(#[$attr])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        struct $name { $($(#[$field_attr])* $field: $type),* }

        impl Entity for $name {
            type Status = NoStatus;
            const KIND: &'static str = "person";
            const SCHEMA: u32 = $schema;

            fn upgrade(from: u32, mut content: Value) -> Result<Value> {
                assert_eq!(from, 1);
                let name = content.as_object_mut().and_then(|content| content.remove("name"));
                content["full_name"] = name.unwrap_or_default();
                Ok(content)
            }
        }
    };
}

person!(Old, 1, { name: String, home: OldHome });
person!(New, 1, { name: String, age: u32, home: NewHome });
person!(Upgraded, 2, { full_name: String, home: OldHome });
person!(Renamed, 1, { #[serde(alias = "name")] called: String });

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OldHome {
    town: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct NewHome {
    town: String,
    street: String,
}

async fn state(store: &Store) -> (u32, Value) {
    let key = store.kind::<Old>().key("ann").unwrap();
    let slot = store.get(&[key]).await.unwrap().remove(0);
    let record = slot.live().unwrap().unwrap();
    (record.schema, record.state.decode().unwrap())
}

async fn with_ann() -> Store {
    let store = store();
    let home = NewHome { town: "Ulm".to_owned(), street: "Elm".to_owned() };
    let ann = New { name: "Ann".to_owned(), age: 7, home };
    store.kind::<New>().create("ann", &ann).await.unwrap();
    store
}

#[tokio::test]
async fn fields_an_older_program_does_not_know_survive_its_write() {
    let store = with_ann().await;
    let old = store.kind::<Old>();
    let moved = |person: &mut Old| {
        person.home.town = "Bonn".to_owned();
        Ok(())
    };
    let stored = old.update("ann", moved).await.unwrap();
    let expected = json!({"name": "Ann", "age": 7, "home": {"town": "Bonn", "street": "Elm"}});
    assert_eq!(state(&store).await, (1, expected.clone()));
    // And the write after that, from what the first one returned.
    let same = (*stored).clone();
    old.replace(&stored, same).await.unwrap();
    assert_eq!(state(&store).await, (1, expected));
    assert_eq!(store.kind::<New>().get("ann").await.unwrap().home.street, "Elm");
}

#[tokio::test]
async fn content_of_a_newer_schema_is_refused_and_hides_nothing_else() {
    let store = store();
    let home = OldHome { town: "Ulm".to_owned() };
    let newer = Upgraded { full_name: "Ann".to_owned(), home: home.clone() };
    store.kind::<Upgraded>().create("ann", &newer).await.unwrap();
    let old = store.kind::<Old>();
    old.create("bob", &Old { name: "Bob".to_owned(), home }).await.unwrap();
    let error = old.get("ann").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("person/ann"), "{error}");
    assert_eq!(kind(old.update("ann", |_| Ok(())).await), ErrorKind::Incompatible);
    let page = old.list(&old.query().unwrap()).await.unwrap();
    let found: Vec<_> = page.items.iter().map(Result::is_ok).collect();
    assert_eq!(found, [false, true]);
    assert_eq!(state(&store).await.0, 2, "untouched");
}

#[tokio::test]
async fn content_of_an_older_schema_is_brought_up_to_date_when_it_is_read() {
    let store = with_ann().await;
    let people = store.kind::<Upgraded>();
    assert_eq!(people.get("ann").await.unwrap().full_name, "Ann");
    assert_eq!(state(&store).await.0, 1, "reading writes nothing");
    people.update("ann", |_| Ok(())).await.unwrap();
    let (schema, content) = state(&store).await;
    assert_eq!((schema, &content["full_name"], content.get("name")), (2, &json!("Ann"), None));
    assert_eq!(content["age"], 7, "unknown fields survive an upgrade too");
    let past = people.history("ann", Page::default()).await.unwrap();
    let names = past.items.into_iter().map(|past| past.unwrap().value.unwrap().full_name);
    assert_eq!(names.collect::<Vec<_>>(), ["Ann", "Ann"]);
}

#[tokio::test]
async fn going_back_to_what_this_program_cannot_read_is_refused_before_it_is_written() {
    let store = store();
    let home = OldHome { town: "Ulm".to_owned() };
    let people = store.kind::<Upgraded>();
    let newer = Upgraded { full_name: "Ann".to_owned(), home: home.clone() };
    let made = people.create("ann", &newer).await.unwrap();
    people.delete(&made).await.unwrap();
    let old = store.kind::<Old>();
    old.create("ann", &Old { name: "Ann".to_owned(), home }).await.unwrap();
    assert_eq!(kind(old.rollback_to("ann", 1).await), ErrorKind::Incompatible);
    assert_eq!(old.get("ann").await.unwrap().version.n, 3);
}

#[tokio::test]
async fn a_field_under_its_old_name_is_not_carried_over_beside_the_new_one() {
    let store = with_ann().await;
    let people = store.kind::<Renamed>();
    people
        .update("ann", |person| {
            person.called = "Anna".to_owned();
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(people.get("ann").await.unwrap().called, "Anna");
}

#[tokio::test]
async fn one_version_that_cannot_be_decoded_does_not_hide_the_others() {
    let store = with_ann().await;
    let old = store.kind::<Old>();
    let scope = Scope::Entity(old.key("ann").unwrap());
    store.kind::<Renamed>().update("ann", |_| Ok(())).await.unwrap();
    let page = old.history("ann", Page::default()).await.unwrap();
    let decoded: Vec<_> = page.items.iter().map(Result::is_ok).collect();
    assert_eq!(decoded, [false, true], "{:?}", store.history(&HistoryQuery::of(scope)).await);
    assert_eq!(kind(old.get("ann").await), ErrorKind::Corrupt);
    assert_eq!(old.rollback_to("ann", 1).await.unwrap().version.n, 3, "the way out");
    assert_eq!(old.get("ann").await.unwrap().name, "Ann");
}
