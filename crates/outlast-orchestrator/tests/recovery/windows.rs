//! Joins and batches whose time is over.

use outlast_core::{
    Artifact, Claim, Clock, Consumption, FlushReason, Window, WindowItem, WindowKind, WindowStatus,
};
use outlast_orchestrator::recovery::{Outcome, RecoveryOptions, recover};
use outlast_store::Store;

use crate::support::{
    BACKENDS, HOUR, IT, acquire, claim, create, recovered, site, together, window,
};

async fn put_in(store: &Store, window: &str, artifacts: &[&str]) {
    for (place, artifact) in artifacts.iter().enumerate() {
        let item = WindowItem {
            window_id: window.to_owned(),
            place: place as u64 + 1,
            seq: 1,
            artifact_ids: vec![(*artifact).to_owned()],
            type_name: "order".to_owned(),
            added_at: store.clock().now(),
        };
        create(store, &format!("{window}-{artifact}"), &item).await;
        if store.kind::<Artifact>().find(artifact).await.unwrap().is_none() {
            let payload = serde_json::json!({});
            create(store, artifact, &Artifact::new("order", payload, store.clock().now())).await;
        }
    }
}

#[tokio::test]
async fn a_window_whose_time_is_over_gives_its_place_up() {
    for backend in BACKENDS {
        for (kind, claimed) in [
            (WindowKind::Join, "window/reviewer/orders/join/"),
            (WindowKind::Batch, "window/reviewer/orders/batch"),
        ] {
            let site = site(backend).await;
            let waiting = window(kind, WindowStatus::Waiting, site.clock.now());
            let end = waiting.window_end.unwrap();
            create(&site.store, IT, &waiting).await;
            put_in(&site.store, IT, &["x", "y"]).await;
            let key = waiting.correlation_key.as_deref().unwrap_or_default();
            let hash = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(key.as_bytes()));
            let suffix = if kind == WindowKind::Join { hash } else { String::new() };
            let claimed = format!("{claimed}{suffix}");
            claim(&site.store, &claimed, IT).await;

            let instance = acquire(&site.store).await;
            site.clock.jump_to(end.minus(std::time::Duration::from_micros(1)));
            let early = recover(&instance, &RecoveryOptions::default()).await.unwrap();
            assert_eq!(early.changed, 0);
            site.clock.jump_to(end);
            let at_end = recover(&instance, &RecoveryOptions::default()).await.unwrap();
            assert_eq!(at_end.changed, u64::from(kind == WindowKind::Batch), "{kind:?}");
            site.clock.jump_to(end.plus(HOUR));
            recover(&instance, &RecoveryOptions::default()).await.unwrap();
            let ended = site.store.kind::<Window>().get(IT).await.unwrap();
            assert_eq!(ended.version.n, 2, "{backend} {kind:?}: it ends once");
            let claims = site.store.kind::<Claim>();
            assert!(claims.find(&claimed).await.unwrap().is_none(), "{backend} {kind:?}");
            assert_eq!(together(&site.store, "window", IT).await.len(), 2);
            match kind {
                WindowKind::Join => assert!(ended.finished_at.is_some()),
                WindowKind::Batch => {
                    let dispatch = ended.dispatch.as_ref().unwrap();
                    // The first try is the engine's to make.
                    assert_eq!(
                        (dispatch.attempts, dispatch.reason),
                        (0, Some(FlushReason::Timeout))
                    );
                }
            }
            site.store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_batch_of_which_something_is_gone_or_consumed_is_left_to_its_engine() {
    for is_gone in [false, true] {
        let site = site("memory").await;
        let now = site.clock.now();
        create(&site.store, IT, &window(WindowKind::Batch, WindowStatus::Waiting, now)).await;
        put_in(&site.store, IT, &["x", "y"]).await;
        if is_gone {
            let artifacts = site.store.kind::<Artifact>();
            artifacts.delete(&artifacts.get("y").await.unwrap()).await.unwrap();
        } else {
            let consumption = Consumption {
                artifact_id: "y".to_owned(),
                consumer: "reviewer".to_owned(),
                subscription: None,
                run_id: None,
                correlation_id: None,
                consumed_at: now,
            };
            create(&site.store, "c", &consumption).await;
        }
        site.clock.advance(HOUR);
        let report = recovered(&site).await;
        assert_eq!((report.count("batch", Outcome::Resumed), report.changed), (1, 0));
    }
}
