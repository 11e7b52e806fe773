//! The last 100 versions of one entity, in a store that has seen so many others.

use std::time::Instant;

use outlast::Page;

use crate::measure::{Measured, Watch};
use crate::ours::{fill, open};
use crate::work::{Agent, Job, id};

/// How many versions each entity has, so that as many are read whatever lies around them.
const VERSIONS: usize = 100;

/// How often the history is read.
const READS: usize = 300;

/// `ops` is how many versions there are in all.
pub fn ours(job: &Job) -> Measured {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = open(job, "sqlite").await;
        let entities = (job.ops / VERSIONS).max(1);
        fill(&store, entities).await;
        let agents = store.kind::<Agent>();
        for _ in 1..VERSIONS {
            // Many of them in one commit: it is the reading that counts here.
            for some in (0..entities).collect::<Vec<_>>().chunks(500) {
                let mut draft = store.draft();
                for n in some {
                    let agent = agents.get(&id(*n)).await.expect("an agent");
                    let mut next = (*agent).clone();
                    next.advance();
                    draft.replace(&agent, &next).expect("a change");
                }
                draft.commit().await.expect("a commit");
            }
        }
        let mut times = Vec::with_capacity(READS);
        let watch = Watch::start();
        for n in 0..READS {
            let start = Instant::now();
            let page = agents.history(&id(n * 37 % entities), Page::first(100)).await.expect("a history");
            times.push(start.elapsed());
            assert_eq!(page.items.len(), VERSIONS);
        }
        watch.stop("history", times)
    })
}
