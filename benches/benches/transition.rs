//! Durable transitions: read an entity, check the move, write it with its history, be told.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use outlast::{Clock, SystemClock};
use outlast_benches::{BACKENDS, Bed, Job, JobStatus};

fn transitions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transition");
    for backend in BACKENDS {
        for callers in [1, 64, 1024] {
            let bed = Bed::new(backend);
            bed.fill(callers);
            group.throughput(Throughput::Elements(callers as u64));
            group.bench_function(format!("{backend}/{callers}"), |bencher| {
                bencher.iter_custom(|rounds| run(&bed, callers, rounds));
            });
        }
    }
    group.finish();
}

/// Every caller moves an entity of its own so often, one move after the other.
fn run(bed: &Bed, callers: usize, rounds: u64) -> Duration {
    let clock = SystemClock::default();
    let start = clock.monotonic();
    let tasks: Vec<_> = (0..callers)
        .map(|id| {
            let jobs = bed.store.kind::<Job>();
            bed.runtime.spawn(async move {
                for _ in 0..rounds {
                    let change = |job: &mut Job| {
                        turn(job);
                        Ok(())
                    };
                    jobs.update(&id.to_string(), change).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        bed.runtime.block_on(task).unwrap();
    }
    clock.monotonic().saturating_sub(start)
}

fn turn(job: &mut Job) {
    job.status = match job.status {
        JobStatus::Ready => JobStatus::Busy,
        JobStatus::Busy => JobStatus::Ready,
    };
}

criterion_group!(benches, transitions);
criterion_main!(benches);
