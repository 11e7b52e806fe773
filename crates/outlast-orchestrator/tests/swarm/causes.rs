//! Who changed what, and why.

use outlast_core::{Actor, AttrName, AttrValue, Cause, EventCategory, EventLevel, Id, Page};
use outlast_orchestrator::swarm::{LAST_ACTIVITY, PROGRESS};

use crate::support::{BACKENDS, agent, running, stage};

#[tokio::test]
async fn a_change_names_its_cause_in_every_version_it_wrote_and_in_what_is_told() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        let agent = running(&swarm, agent().called("a")).await;
        let ann = Actor::User(Id::new("ann").unwrap());
        let cause = Cause::by(ann.clone()).because("it is late");
        agent.with_cause(cause).kill().await.unwrap();

        let newest = agent.history(Page::first(1)).await.unwrap().items.remove(0).unwrap();
        let of_swarm = swarm.history(Page::first(1)).await.unwrap().items.remove(0).unwrap();
        for version in [newest.version, of_swarm.version] {
            assert_eq!(version.actor, Some(ann.clone()), "{backend}");
            assert_eq!(version.reason.as_deref(), Some("it is late"), "{backend}");
            assert_eq!(version.action.as_str(), "status_change", "{backend}");
        }
        let events = stage.events().await;
        assert_eq!(events.len(), 2, "{backend}");
        assert!(events.iter().all(|event| event.actor == Some(ann.clone())), "{backend}");
        assert_eq!(events[0].category, EventCategory::Audit);
        assert_eq!(events[1].level, EventLevel::Error);
        assert_eq!(events[1].subject.as_ref().unwrap().to_string(), "swarm/s");
        stage.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn signs_of_life_and_progress_make_no_version() {
    for backend in BACKENDS {
        let stage = stage(backend).await;
        let swarm = stage.swarm("s").await;
        let agent = running(&swarm, agent()).await;
        let before = agent.get().await.unwrap();
        agent.progress(40).await.unwrap();
        stage.pass(std::time::Duration::from_secs(1));
        agent.touch().await.unwrap();
        let after = agent.get().await.unwrap();
        assert_eq!(after.version, before.version, "{backend}");
        let attr = |name| after.transient[&AttrName::new(name).unwrap()].clone();
        assert_eq!(attr(LAST_ACTIVITY), AttrValue::from(stage.now()), "{backend}");
        assert_eq!(attr(PROGRESS), AttrValue::Int(40), "{backend}");
        stage.store.close().await.unwrap();
    }
}
