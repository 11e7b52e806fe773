//! Time is a number from a clock that can be held still, and orders nothing by itself.

use std::sync::Arc;
use std::time::Duration;

use outlast::{Event, EventCategory, EventLevel, Session, StoreOptions, StreamQuery};
use outlast_core::{Clock, ManualClock, Timestamp};

use crate::{BACKENDS, fresh};

/// I7. A clock that jumps back changes what is written as time, and no order.
#[tokio::test]
async fn i7_order_survives_a_clock_that_jumps() {
    for backend in BACKENDS {
        let start = Timestamp::from_micros(1_700_000_000_000_000);
        let clock = Arc::new(ManualClock::at(start));
        let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
        let (store, _dir) = fresh(backend, options).await;
        let sessions = store.kind::<Session>();
        let session = Session::new("tree", "main", clock.now());
        let first = sessions.create("s", &session).await.unwrap();
        assert_eq!(first.updated_at, start, "{backend}");

        let mut moments = vec![start];
        for jump in [Duration::from_hours(1), Duration::from_hours(48)] {
            clock.jump_to(start.minus(jump));
            moments.push(clock.now());
            let more = |session: &mut Session| {
                session.entry_count += 1;
                Ok(())
            };
            sessions.update("s", more).await.unwrap();
            let mut draft = store.draft();
            let event =
                Event::new(EventCategory::Ops, EventLevel::Info, jump.as_secs().to_string());
            draft.report(&event).unwrap();
            draft.commit().await.unwrap();
        }
        let past = sessions.history("s", outlast::Page::default()).await.unwrap().items;
        let past: Vec<_> = past.into_iter().map(|past| past.unwrap().version).collect();
        let versions: Vec<u64> = past.iter().rev().map(|past| past.version.n).collect();
        let times: Vec<Timestamp> = past.iter().rev().map(|past| past.at).collect();
        assert_eq!((versions, times), (vec![1, 2, 3], moments), "{backend}");
        let log = store.read(&StreamQuery::of(Event::log().unwrap())).await.unwrap().items;
        let log: Vec<String> = log
            .into_iter()
            .map(|entry| serde_json::from_slice::<Event>(&entry.unwrap().data).unwrap().message)
            .collect();
        assert_eq!(log, ["3600", "172800"], "{backend}: by place, not by time");
        store.close().await.unwrap();
    }
}
