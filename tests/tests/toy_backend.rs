//! A backend written apart from the others is plugged into the suite in few lines, and passes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod toy;

use std::sync::Arc;

use outlast_conformance::{differential, run_all, run_some, seed};

use crate::toy::Disk;
use crate::toy_harness::ToyHarness;

mod toy_harness {
    // The part that plugs in begins here.
    use crate::toy::{Disk, Toy};
    use async_trait::async_trait;
    use outlast_conformance::{Harness, Site, Target};
    use outlast_core::{Backend, Error, OpenOptions, Result};
    use std::sync::Arc;

    pub(crate) struct ToyHarness(pub(crate) fn() -> Arc<Disk>);
    struct Place(Arc<Disk>);

    #[async_trait]
    impl Harness for ToyHarness {
        fn name(&self) -> String {
            "toy".to_owned()
        }
        async fn site(&self) -> Result<Box<dyn Site>> {
            Ok(Box::new(Place(self.0())))
        }
    }

    #[async_trait]
    impl Site for Place {
        async fn open(&self, options: &OpenOptions) -> Result<Arc<dyn Backend>> {
            if options.read_only {
                return Err(Error::unsupported("the toy is never read only"));
            }
            Ok(Arc::new(Toy::open(&self.0)?))
        }
        async fn damage(&self, target: &Target) -> Result<bool> {
            self.0.rot(target);
            Ok(true)
        }
    }
    // The part that plugs in ends here.
}

#[test]
fn harness_of_a_third_party_fits_in_forty_lines() {
    let source = include_str!("toy_backend.rs");
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let line = |marker: &str| lines.iter().position(|line| *line == marker).unwrap();
    let begin = line("// The part that plugs in begins here.");
    let end = line("// The part that plugs in ends here.");
    assert!(end > begin && end - begin - 1 <= 40, "{} lines", end - begin - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn toy_keeps_every_case() {
    let report = run_all(Arc::new(ToyHarness(Disk::empty))).await;
    assert_eq!(report.skipped, 0);
    report.assert_passed();
}

#[tokio::test(flavor = "multi_thread")]
async fn toy_agrees_with_the_model_in_a_differential_run() {
    let seed = seed();
    println!("seed {seed}");
    differential(Arc::new(ToyHarness(Disk::empty)), seed, 40, 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_damage_is_noticed() {
    for case in [
        "damaged_head_is_named_and_never_given_out",
        "damaged_head_leaves_the_others_readable",
        "damaged_version_leaves_the_others_readable",
        "damaged_entry_leaves_the_others_readable",
    ] {
        let hiding = Arc::new(ToyHarness(Disk::hiding_damage));
        let report = run_some(hiding, |name| name == case).await;
        assert_eq!((report.cases, report.failed), (1, 1), "{case}");
    }
}
