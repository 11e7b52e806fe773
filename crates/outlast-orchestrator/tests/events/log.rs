//! Bounds of the log, and what lies in it.

use outlast_core::{Attributes, ErrorKind, Event, EventCategory, EventLevel, NewEntry, Seq};
use outlast_orchestrator::events::{EventLog, EventQuery};
use outlast_store::Store;

use crate::opened::{BACKENDS, open};

fn event(n: u64) -> Event {
    let host = if n.is_multiple_of(2) { "even" } else { "odd" };
    Event::new(EventCategory::System, EventLevel::Info, n.to_string()).on(host)
}

async fn fill(store: &Store, count: u64) {
    let mut draft = store.draft();
    for n in 0..count {
        draft.report(&event(n)).unwrap();
    }
    draft.commit().await.unwrap();
}

async fn page(log: &EventLog, query: &EventQuery) -> Vec<u64> {
    let items = log.list(query).await.unwrap().items;
    items.into_iter().map(|event| event.unwrap().event.message.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_page_is_bounded_and_says_where_it_goes_on() {
    for name in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(name, &folder.path().join("store")).await;
        fill(&store, 700).await;
        let log = EventLog::new(&store);
        let newest = page(&log, &EventQuery::default()).await;
        assert_eq!(newest, (600..700).rev().collect::<Vec<_>>(), "{name}: 100 of all");
        let on_host = page(&log, &EventQuery::on_host("odd")).await;
        assert_eq!((on_host.len(), on_host[0]), (50, 699), "{name}: 50 of a host");

        let most = EventQuery { limit: 500, ..EventQuery::default() };
        assert_eq!(page(&log, &most).await.len(), 500, "{name}");
        let most_on_host = EventQuery { limit: 200, ..EventQuery::on_host("even") };
        assert_eq!(page(&log, &most_on_host).await.len(), 200, "{name}");
        let over = [
            EventQuery { limit: 501, ..EventQuery::default() },
            EventQuery { limit: 201, ..EventQuery::on_host("even") },
        ];
        for query in over {
            let error = log.list(&query).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        }
        let none = EventQuery { limit: 0, ..EventQuery::default() };
        assert_eq!(log.list(&none).await.unwrap_err().kind(), ErrorKind::Invalid, "{name}");

        let mut walked = Vec::new();
        let mut query = EventQuery { limit: 64, ..EventQuery::on_host("even") };
        loop {
            walked.extend(page(&log, &query).await);
            query.after = log.list(&query).await.unwrap().next;
            if query.after.is_none() {
                break;
            }
        }
        let even: Vec<_> = (0..700).rev().filter(|n| n % 2 == 0).collect();
        assert_eq!(walked, even, "{name}");
    }
}

#[tokio::test]
async fn events_stand_where_the_log_says_across_a_restart() {
    for name in ["sqlite", "sled"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let store = open(name, &path).await;
        assert_eq!(EventLog::new(&store).append(&event(0)).await.unwrap(), Seq(1), "{name}");
        store.close().await.unwrap();
        let store = open(name, &path).await;
        let log = EventLog::new(&store);
        assert_eq!(log.append(&event(1)).await.unwrap(), Seq(2), "{name}");
        let items = log.list(&EventQuery::default()).await.unwrap().items;
        let reported: Vec<_> = items.into_iter().map(Result::unwrap).collect();
        assert_eq!(reported[0].seq, Seq(2));
        assert_eq!((reported[1].seq, &reported[1].event.message), (Seq(1), &"0".to_owned()));
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_event_is_an_error_in_its_place() {
    for name in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(name, &folder.path().join("store")).await;
        let log = EventLog::new(&store);
        log.append(&event(0)).await.unwrap();
        let contents: [&[u8]; 3] = [
            b"\xff\xfe",
            b"not json",
            br#"{"category":"gossip","level":"info","message":"of an unknown category"}"#,
        ];
        for data in contents {
            let entry = NewEntry { at: None, attrs: Attributes::new(), data: data.to_vec() };
            let mut draft = store.draft();
            draft.append(Event::log().unwrap(), vec![entry]);
            draft.commit().await.unwrap();
        }
        log.append(&event(1)).await.unwrap();
        let items = log.list(&EventQuery::default()).await.unwrap().items;
        assert_eq!(items.len(), 5, "{name}");
        for (place, item) in items.iter().enumerate() {
            match item {
                Ok(_) => assert!([0, 4].contains(&place), "{name}"),
                Err(error) => {
                    assert!(error.to_string().contains(&format!("event {}", 5 - place)), "{error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_event_that_is_too_large_is_refused_with_what_it_reports() {
    for name in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(name, &folder.path().join("store")).await;
        let log = EventLog::new(&store);
        let text = "x".repeat(Event::MAX_BYTES);
        let large = Event::new(EventCategory::System, EventLevel::Info, text);
        assert_eq!(log.append(&large).await.unwrap_err().kind(), ErrorKind::TooLarge, "{name}");
        assert!(log.list(&EventQuery::default()).await.unwrap().items.is_empty(), "{name}");
    }
}
