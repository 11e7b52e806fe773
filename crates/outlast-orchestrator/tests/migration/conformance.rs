//! In each of its phases the pair of stores keeps everything that a backend has to keep.

use std::sync::Arc;

use async_trait::async_trait;
use outlast_conformance::{Harness, Site, Target, differential, run_all, seed};
use outlast_core::{Backend, Error, OpenOptions, Result};
use outlast_orchestrator::migration::Phase;

use crate::led::Led;
use crate::world::{Engine, World};

#[derive(Clone, Copy)]
struct InPhase(Engine, Phase);

struct Here(World, Phase);

#[async_trait]
impl Harness for InPhase {
    fn name(&self) -> String {
        format!("memory and {:?} in {}", self.0, self.1).to_lowercase()
    }

    async fn site(&self) -> Result<Box<dyn Site>> {
        Ok(Box::new(Here(World::new(self.0), self.1)))
    }
}

#[async_trait]
impl Site for Here {
    async fn open(&self, options: &OpenOptions) -> Result<Arc<dyn Backend>> {
        if options.read_only {
            return Err(Error::unsupported("a store that moves is never read only"));
        }
        // A pair that forgets its memory declares nothing that outlasts it: each opening is a
        // store of its own.
        let world = World::new(self.0.engine);
        let migration = world.open(world.options()).await?;
        std::mem::forget(world);
        Ok(Arc::new(Led::new(migration, self.1)))
    }

    async fn damage(&self, _target: &Target) -> Result<bool> {
        Ok(false)
    }
}

async fn keeps_every_case(engine: Engine, phase: Phase) {
    let harness = InPhase(engine, phase);
    let report = run_all(Arc::new(harness)).await;
    assert!(report.cases >= 100, "{report}");
    report.assert_passed();
    println!("{report}");
    differential(Arc::new(harness), seed(), 4, 40).await;
}

macro_rules! phases {
    ($($name:ident: $engine:ident, $phase:ident;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            keeps_every_case(Engine::$engine, Phase::$phase).await;
        })*
    };
}

phases! {
    memory_beside_sqlite_keeps_every_case: Sqlite, Memory;
    memory_mirrored_to_sqlite_keeps_every_case: Sqlite, Mirror;
    memory_shadowed_by_sqlite_keeps_every_case: Sqlite, Shadow;
    memory_joint_with_sqlite_keeps_every_case: Sqlite, Joint;
    memory_following_sqlite_keeps_every_case: Sqlite, Live;
    memory_mirrored_to_sled_keeps_every_case: Sled, Mirror;
    memory_following_sled_keeps_every_case: Sled, Live;
}
