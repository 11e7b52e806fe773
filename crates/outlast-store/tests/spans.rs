//! The spans of a store. Alone in its program: whether a span is wanted is asked once for all
//! threads, and a test beside it that wants none could be asked first.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use outlast_core::{RandomIds, Session};
use outlast_memory::Memory;
use outlast_store::{Store, StoreOptions};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Notes the spans that are made: their names, and their level.
#[derive(Clone, Debug, Default)]
struct Spans(Arc<Mutex<Vec<(&'static str, Level)>>>);

impl Subscriber for Spans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.0.lock().unwrap();
        spans.push((span.metadata().name(), *span.metadata().level()));
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn every_group_is_a_span_for_those_who_look_closely() {
    let spans = Spans::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(spans.clone(), || {
        runtime.block_on(async {
            let store = Store::open(Arc::new(Memory::new(&RandomIds)), StoreOptions::default());
            let session = Session::new("tree", "main", store.clock().now());
            for id in ["a", "b"] {
                store.kind::<Session>().create(id, &session).await.unwrap();
            }
        });
    });
    let spans = spans.0.lock().unwrap();
    let groups = spans.iter().filter(|(name, _)| *name == "group");
    let levels: Vec<_> = groups.map(|(_, level)| *level).collect();
    assert_eq!(levels, [Level::DEBUG; 2]);
}
