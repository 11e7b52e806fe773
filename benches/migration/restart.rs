//! M2: the way back from live with much in it, and filling memory after a start.

use std::time::Instant;

use outlast_orchestrator::migration::Phase;

use crate::database::Engine;
use crate::report::Row;
use crate::world::{World, fill, job};

#[allow(clippy::cast_precision_loss)]
pub(crate) async fn measure(entities: u64) {
    for engine in Engine::ALL {
        let world = World::new(engine);
        let migration = world.open(true).await;
        fill(migration.store(), entities).await;
        assert_eq!(migration.phase(&job()), Phase::Live, "a kind is born where it is wished to be");
        let moves = migration.rollback(&job(), Phase::Shadow, true).await.unwrap();
        migration.close().await.unwrap();
        drop(migration);
        let back = moves.first().unwrap();
        let name = engine.as_str();
        let what = format!("{name}: rollback with {entities} entities, ledger to pointer, ms");
        Row::at_most("M2", &what, back.flip_us as f64 / 1e3, 1.0)
            .note(format!("writes were held for {:.1} ms in all", back.held_us as f64 / 1e3))
            .print();
        let start = Instant::now();
        let migration = world.open(true).await;
        let took = start.elapsed();
        let filled: u64 = migration.started().hydrated.iter().map(|(_, count)| count).sum();
        assert_eq!(filled, entities);
        let what = format!("{name}: memory filled after a start, entities/s");
        Row::told("M2", &what, filled as f64 / took.as_secs_f64())
            .note(format!("{filled} entities of 1 KiB in {:.2} s", took.as_secs_f64()))
            .print();
        migration.close().await.unwrap();
    }
}
