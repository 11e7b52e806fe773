//! Who lost the right to drive a store recovers nothing.

use outlast_core::{ErrorKind, Lease, ProcessIdentity};
use outlast_orchestrator::recovery::{RecoveryOptions, StartOptions, Table, recover, start};
use outlast_store::Store;

use crate::support::{BACKENDS, HOUR, acquire, place, site, versions};

/// Another process takes the right.
async fn take(store: &Store) {
    let leases = store.kind::<Lease>();
    let held = leases.get("run").await.unwrap();
    let holder = ProcessIdentity { start_ticks: 1, ..held.holder.clone() };
    leases.replace(&held, Lease { holder, acquired_at: held.acquired_at }).await.unwrap();
}

/// I5 in ARCHITECTURE.md.
#[tokio::test]
async fn nothing_is_written_once_the_right_is_lost() {
    for backend in BACKENDS {
        for (kind, state, _) in Table::default().cells() {
            let site = site(backend).await;
            let instance = acquire(&site.store).await;
            place(&site, kind, state).await;
            site.clock.advance(HOUR * 3);
            take(&site.store).await;
            let before = versions(&site.store).await;
            let refused = recover(&instance, &RecoveryOptions::default()).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Fenced, "{kind}.{state}");
            assert_eq!(versions(&site.store).await, before, "{backend} {kind}.{state}");
            site.store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_store_that_another_process_drives_is_not_started() {
    let site = site("memory").await;
    place(&site, "command", "executing").await;
    let _instance = acquire(&site.store).await;
    let before = versions(&site.store).await;
    let refused = start(&site.store, &StartOptions::default()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Fenced);
    assert_eq!(versions(&site.store).await, before);
}
