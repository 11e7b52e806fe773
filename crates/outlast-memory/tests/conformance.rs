//! The volatile store keeps everything that every backend has to keep.

use std::sync::Arc;

use outlast_conformance::{MemoryHarness, run_all};

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_every_case() {
    let report = run_all(Arc::new(MemoryHarness)).await;
    assert!(report.cases >= 100, "{report}");
    assert_eq!(report.skipped, 0);
    report.assert_passed();
    println!("{report}");
}
