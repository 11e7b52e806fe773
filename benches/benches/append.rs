//! Lines added to a stream, durable when answered.
#![allow(clippy::unwrap_used, missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use outlast::{Attributes, Key, NewEntry};
use outlast_benches::{BACKENDS, Bed};

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    for backend in BACKENDS {
        for lines in [1, 64] {
            let bed = Bed::new(backend);
            let stream = Key::new("log", "one").unwrap();
            group.throughput(Throughput::Elements(lines as u64));
            group.bench_function(format!("{backend}/{lines}"), |bencher| {
                bencher.iter(|| {
                    let mut draft = bed.store.draft();
                    draft.append(stream.clone(), vec![line(); lines]);
                    bed.runtime.block_on(draft.commit()).unwrap()
                });
            });
        }
    }
    group.finish();
}

fn line() -> NewEntry {
    NewEntry { at: None, attrs: Attributes::new(), data: vec![b'x'; 100] }
}

criterion_group!(benches, append);
criterion_main!(benches);
