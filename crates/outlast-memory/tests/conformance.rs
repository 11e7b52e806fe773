//! The volatile store keeps everything that every backend has to keep.

use std::sync::Arc;

use outlast_conformance::{MemoryHarness, differential, run_all, seed, sequences};

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_every_case() {
    let report = run_all(Arc::new(MemoryHarness)).await;
    assert!(report.cases >= 100, "{report}");
    assert_eq!(report.skipped, 0);
    report.assert_passed();
    println!("{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_agrees_with_the_model_in_a_differential_run() {
    let seed = seed();
    println!("seed {seed}");
    differential(Arc::new(MemoryHarness), seed, sequences(300), 40).await;
}
