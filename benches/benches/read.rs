//! What one caller reads: an entity, the entities of a status, the history of an entity.
#![allow(clippy::unwrap_used, missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use outlast::{AttrName, Filter, Page};
use outlast_benches::{BACKENDS, Bed, Job};

/// How many entities there are. One in a hundred is at work.
const ENTITIES: usize = 10_000;

/// How many versions the one with a history has.
const VERSIONS: usize = 1_000;

fn get(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("get");
    for backend in BACKENDS {
        let bed = Bed::new(backend);
        bed.fill(ENTITIES);
        let jobs = bed.store.kind::<Job>();
        let mut id = 0;
        group.bench_function(backend, |bencher| {
            bencher.iter(|| {
                // A stride that meets every entity, in no order.
                id = (id + 7_919) % ENTITIES;
                bed.runtime.block_on(jobs.get(&id.to_string())).unwrap()
            });
        });
    }
    group.finish();
}

fn list(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("list_by_status");
    for backend in BACKENDS {
        let bed = Bed::new(backend);
        bed.fill(ENTITIES);
        let jobs = bed.store.kind::<Job>();
        let mut query = jobs.query().unwrap().filter(Filter::is(AttrName::status(), "busy"));
        query.page = Page::first(100);
        group.throughput(Throughput::Elements(100));
        group.bench_function(backend, |bencher| {
            bencher.iter(|| {
                let page = bed.runtime.block_on(jobs.list(&query)).unwrap();
                assert_eq!(page.items.len(), 100);
                page
            });
        });
    }
    group.finish();
}

fn history(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("history");
    for backend in BACKENDS {
        let bed = Bed::new(backend);
        bed.fill(1);
        let jobs = bed.store.kind::<Job>();
        bed.runtime.block_on(async {
            for n in 1..VERSIONS {
                let change = |job: &mut Job| {
                    job.payload = format!("{n:01000}");
                    Ok(())
                };
                jobs.update("0", change).await.unwrap();
            }
        });
        group.throughput(Throughput::Elements(100));
        group.bench_function(backend, |bencher| {
            bencher.iter(|| {
                let page = bed.runtime.block_on(jobs.history("0", Page::first(100))).unwrap();
                assert_eq!(page.items.len(), 100);
                page
            });
        });
    }
    group.finish();
}

criterion_group!(benches, get, list, history);
criterion_main!(benches);
