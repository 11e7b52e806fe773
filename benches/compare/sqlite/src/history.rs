//! The last 100 versions of one entity, in a store that has seen so many others.

use std::time::Instant;

use outlast::Page;

use crate::measure::{Measured, Watch};
use crate::ours::{fill, open};
use crate::work::{Agent, Job, id};

/// How many entities the versions are spread over.
const ENTITIES: usize = 1000;

/// How often the history is read.
const READS: usize = 300;

/// `ops` is how many versions there are in all.
pub fn ours(job: &Job) -> Measured {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = open(job, "sqlite").await;
        fill(&store, ENTITIES).await;
        let agents = store.kind::<Agent>();
        for _ in 1..job.ops / ENTITIES {
            // All of them in two commits: it is the reading that counts here.
            for some in (0..ENTITIES).collect::<Vec<_>>().chunks(500) {
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
            let page = agents.history(&id(n * 3), Page::first(100)).await.expect("a history");
            times.push(start.elapsed());
            assert_eq!(page.items.len(), 100.min(job.ops / ENTITIES));
        }
        watch.stop("history", times)
    })
}
