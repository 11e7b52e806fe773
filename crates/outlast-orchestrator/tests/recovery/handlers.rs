//! Those who are told.

use std::sync::{Arc, Mutex};

use outlast_core::{Command, CommandStatus, Error, ErrorKind};
use outlast_orchestrator::recovery::{Handlers, Outcome, RecoveryOptions, preview, recover};

use crate::support::{IT, acquire, command, create, place, site};
use outlast_core::Clock;

#[tokio::test]
async fn a_handler_is_told_of_each_entity_of_its_kind_after_its_commit() {
    let site = site("memory").await;
    place(&site, "command", "executing").await;
    create(&site.store, "waits", &command(CommandStatus::Queued, site.clock.now())).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let handlers = Handlers::default()
        .on("command", move |recovered| {
            heard.lock().unwrap().push(recovered.clone());
            Ok(())
        })
        .unwrap();
    let options = RecoveryOptions { handlers, ..RecoveryOptions::default() };
    preview(&site.store, &options).await.unwrap();
    assert_eq!(told.lock().unwrap().len(), 0, "a preview tells nobody");
    recover(&acquire(&site.store).await, &options).await.unwrap();
    let told = told.lock().unwrap();
    let of = |n: usize| (told[n].id.as_str(), told[n].found, told[n].outcome, told[n].changed);
    assert_eq!(of(0), (IT, "executing", Outcome::MarkedOrphaned, true));
    assert_eq!(of(1), ("waits", "queued", Outcome::Unchanged, false));
}

#[tokio::test]
async fn a_handler_that_fails_or_panics_is_reported_and_undoes_nothing() {
    for panics in [false, true] {
        let site = site("memory").await;
        place(&site, "command", "executing").await;
        create(&site.store, "next", &command(CommandStatus::Killing, site.clock.now())).await;
        let handlers = Handlers::default()
            .on("command", move |_| {
                assert!(!panics, "on purpose");
                Err(Error::unavailable("nobody listens"))
            })
            .unwrap();
        let options = RecoveryOptions { handlers, ..RecoveryOptions::default() };
        let report = recover(&acquire(&site.store).await, &options).await.unwrap();
        assert_eq!(report.count("command", Outcome::MarkedOrphaned), 2);
        assert_eq!(report.error_count, 2);
        assert!(report.errors[0].reason.starts_with("the handler failed"), "{:?}", report.errors);
        let stored = site.store.kind::<Command>().get(IT).await.unwrap();
        assert_eq!(stored.status, CommandStatus::Orphaned);
    }
}

#[test]
fn a_handler_for_a_kind_that_there_is_none_of_is_refused() {
    let refused = Handlers::default().on("window", |_| Ok(()));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
}
