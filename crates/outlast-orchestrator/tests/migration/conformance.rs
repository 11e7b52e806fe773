//! In each of its phases the pair of stores keeps everything that a backend has to keep.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use outlast_conformance::{Harness, Site, Target, differential, run_within, seed};
use outlast_core::{Backend, Error, OpenOptions, Result};
use outlast_orchestrator::migration::Phase;

use crate::led::Led;
use crate::world::{Engine, World};

/// A case that takes longer than this hangs.
const LIMIT: Duration = Duration::from_mins(1);

#[derive(Clone, Copy)]
struct InPhase(Engine, Phase);

/// Each opening is a pair of its own: its feed begins anew with its memory.
struct Here(Engine, Phase, Mutex<Vec<World>>);

#[async_trait]
impl Harness for InPhase {
    fn name(&self) -> String {
        format!("memory and {:?} in {}", self.0, self.1).to_lowercase()
    }

    async fn site(&self) -> Result<Box<dyn Site>> {
        Ok(Box::new(Here(self.0, self.1, Mutex::default())))
    }
}

#[async_trait]
impl Site for Here {
    async fn open(&self, options: &OpenOptions) -> Result<Arc<dyn Backend>> {
        if options.read_only {
            return Err(Error::unsupported("a store that moves is never read only"));
        }
        let world = World::new(self.0);
        let led = self.led(&world).await;
        self.2.lock().unwrap().push(world);
        led
    }

    async fn damage(&self, _target: &Target) -> Result<bool> {
        Ok(false)
    }

    fn is_reborn(&self) -> bool {
        self.1.is_durable()
    }
}

impl Here {
    async fn led(&self, world: &World) -> Result<Arc<dyn Backend>> {
        let migration = world.open(world.options()).await?;
        Ok(Arc::new(Led::new(migration, self.1)))
    }
}

async fn keeps_every_case(engine: Engine, phase: Phase) {
    let harness = InPhase(engine, phase);
    // A single case can be chosen: OUTLAST_CASE=name.
    let chosen = std::env::var("OUTLAST_CASE").ok();
    let report = run_within(LIMIT, Arc::new(harness), |name| {
        chosen.as_ref().is_none_or(|chosen| name.contains(chosen))
    })
    .await;
    assert!(chosen.is_some() || report.cases >= 100, "{report}");
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
    memory_mirrored_to_sqlite_keeps_every_case: Sqlite, Mirror;
    memory_shadowed_by_sqlite_keeps_every_case: Sqlite, Shadow;
    memory_following_sqlite_keeps_every_case: Sqlite, Live;
    memory_following_sled_keeps_every_case: Sled, Live;
}

/// The other phases, where there is time: they differ from these in what they refuse, not in what
/// they do.
#[tokio::test(flavor = "multi_thread")]
async fn every_other_phase_keeps_every_case_where_there_is_time() {
    let soak = std::env::var_os("OUTLAST_SOAK").is_some();
    let all = [(Engine::Sqlite, Phase::Memory), (Engine::Sqlite, Phase::Joint)];
    let more = [(Engine::Sled, Phase::Mirror), (Engine::Sled, Phase::Shadow)];
    // Memory beside a database is quick, and always looked at.
    let some = all.into_iter().chain(more).filter(|(_, phase)| soak || *phase == Phase::Memory);
    for (engine, phase) in some {
        keeps_every_case(engine, phase).await;
    }
}
