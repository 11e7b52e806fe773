//! Recovery that is repeated right away changes nothing.

use outlast_orchestrator::recovery::{RecoveryOptions, Table, last, recover};

use crate::support::{BACKENDS, HOUR, acquire, events, place, revision, site, versions};

/// I5 in ARCHITECTURE.md.
#[tokio::test]
async fn a_second_recovery_makes_no_commit_at_all() {
    for backend in BACKENDS {
        for (kind, state, _) in Table::default().cells() {
            let site = site(backend).await;
            let instance = acquire(&site.store).await;
            place(&site, kind, state).await;
            site.clock.advance(HOUR * 3);
            let options = RecoveryOptions::default();
            recover(&instance, &options).await.unwrap();
            let (before, told) = (versions(&site.store).await, events(&site.store).await.len());
            let at = revision(&site.store).await;

            let again = recover(&instance, &options).await.unwrap();
            assert_eq!(again.changed, 0, "{backend} {kind}.{state}");
            assert_eq!(versions(&site.store).await, before, "{backend} {kind}.{state}");
            assert_eq!(events(&site.store).await.len(), told, "{backend} {kind}.{state}");
            assert_eq!(revision(&site.store).await, at, "{backend} {kind}.{state}");
            let changes = site.store.changes(outlast_core::Revision(at), 10).await.unwrap();
            assert_eq!(changes.items, [], "{backend} {kind}.{state}");
            site.store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn when_recovery_was_last_carried_out_is_kept_also_if_it_changed_nothing() {
    for backend in BACKENDS {
        let site = site(backend).await;
        assert_eq!(last(&site.store).await.unwrap(), None);
        let instance = acquire(&site.store).await;
        place(&site, "command", "executing").await;
        let first = recover(&instance, &RecoveryOptions::default()).await.unwrap();
        let kept = last(&site.store).await.unwrap().unwrap();
        assert_eq!((kept.at, kept.record.changed), (first.started_at, 1));
        assert_eq!(kept.record.outcomes["command"]["marked_orphaned"], 1);
        site.clock.advance(HOUR);
        let second = recover(&instance, &RecoveryOptions::default()).await.unwrap();
        let kept = last(&site.store).await.unwrap().unwrap();
        assert_eq!((kept.at, kept.record.started_at), (second.started_at, first.started_at));
        assert_eq!(kept.record.changed, 1, "{backend}");
        site.store.close().await.unwrap();
    }
}
