//! A recorder that keeps what was counted, for tests of what is counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};

/// What was counted under each name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

impl Counted {
    /// A counter's value, or a gauge's as a whole number.
    pub(crate) fn value(&self, name: &str) -> u64 {
        let cell = self.cell(name).load(Ordering::Relaxed);
        if name.ends_with("_total") { cell } else { whole(f64::from_bits(cell)) }
    }

    fn cell(&self, name: &str) -> Arc<AtomicU64> {
        self.0.lock().unwrap().entry(name.to_owned()).or_default().clone()
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: f64) -> u64 {
    value as u64
}

impl Recorder for Counted {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key.name()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key.name()))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Runs a test on one thread, and keeps what it counts.
pub(crate) fn counting<F: Future<Output = ()>>(test: impl FnOnce(Counted) -> F) {
    let counted = Counted::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    with_local_recorder(&counted.clone(), || runtime.block_on(test(counted)));
}
