//! What stays because something names it, or because it is not over.

use outlast_core::{
    Agent, AgentStatus, Artifact, Claim, Command, CommandStatus, Entity, PipelineStatus, Session,
    SessionStatus, Status, SwarmStatus, WindowStatus,
};
use outlast_orchestrator::references;
use outlast_orchestrator::retention::{Policies, Sweeper};

use crate::support::{BACKENDS, DAY, days_ago, ids};
use crate::sweeping::{
    Site, agent, artifact, claim, command, counts, create, item, pipeline, session, site, stage,
    swarm, sweeper, window,
};

/// Checks that so much goes, dry as real.
async fn goes(site: &Site, expected: &[(&str, u64)], why: &str) {
    let dry = sweeper(site).preview().await.unwrap();
    let sweep = sweeper(site).tick().await.unwrap();
    assert_eq!(counts(&sweep), expected, "{why}");
    assert_eq!(dry.removed, sweep.removed, "{why}");
    let dangling = references::check(&site.store).await.unwrap().examples;
    let dangling: Vec<_> =
        dangling.iter().filter(|one| !one.to_string().contains("host/")).collect();
    assert!(dangling.is_empty(), "{why}: {dangling:?}");
}

async fn unsettled<T: Entity>(site: &Site, make: impl Fn(T::Status) -> T) {
    for status in T::Status::ALL.iter().copied().filter(|status| !status.is_settled()) {
        create(&site.store, status.as_str(), &make(status)).await;
    }
}

/// I13 in ARCHITECTURE.md.
#[tokio::test]
async fn what_is_not_over_stays_however_old() {
    for backend in BACKENDS {
        let site = site(backend).await;
        let at = days_ago(400);
        unsettled(&site, |status| swarm(status, at)).await;
        unsettled(&site, |status| agent(status, None, at)).await;
        unsettled(&site, |status| session(status, at)).await;
        unsettled(&site, |status| command(status, None, at)).await;
        unsettled(&site, |status| pipeline(status, at)).await;
        unsettled(&site, |status| window(status, at)).await;
        goes(&site, &[], backend).await;
        site.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_swarm_goes_with_its_agents_and_neither_without_the_other() {
    for backend in BACKENDS {
        let site = site(backend).await;
        let store = &site.store;
        let (old, young) = (days_ago(2), days_ago(0));
        create(store, "live", &swarm(SwarmStatus::Active, old)).await;
        create(store, "of-live", &agent(AgentStatus::Completed, Some("live"), old)).await;
        create(store, "over", &swarm(SwarmStatus::Failed, old)).await;
        create(store, "of-over-old", &agent(AgentStatus::Failed, Some("over"), old)).await;
        create(store, "of-over-young", &agent(AgentStatus::Killed, Some("over"), young)).await;
        goes(&site, &[("agent", 1)], "one is young, one belongs to a live swarm").await;
        site.clock.advance(DAY);
        goes(&site, &[("agent", 1), ("swarm", 1)], backend).await;
        assert_eq!(ids::<Agent>(store).await, ["of-live"]);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_swarm_that_an_open_session_or_an_agent_at_work_names_stays() {
    let site = site("memory").await;
    let (store, old) = (&site.store, days_ago(2));
    for id in ["sessioned", "staffed"] {
        create(store, id, &swarm(SwarmStatus::Completed, old)).await;
    }
    let open =
        Session { swarm_id: Some("sessioned".to_owned()), ..session(SessionStatus::Open, old) };
    create(store, "open", &open).await;
    create(store, "at-work", &agent(AgentStatus::Running, Some("staffed"), old)).await;
    goes(&site, &[], "both are named").await;
}

#[tokio::test]
async fn a_session_or_a_parent_of_an_agent_at_work_stays() {
    let site = site("memory").await;
    let (store, old) = (&site.store, days_ago(2));
    create(store, "s", &session(SessionStatus::Closed, old)).await;
    create(store, "parent", &agent(AgentStatus::Completed, None, old)).await;
    let child = Agent {
        session_id: Some("s".to_owned()),
        parent_id: Some("parent".to_owned()),
        ..agent(AgentStatus::Running, None, old)
    };
    create(store, "child", &child).await;
    goes(&site, &[], "the child names both").await;
    let ended = store.kind::<Agent>().get("child").await.unwrap();
    let next = Agent { status: AgentStatus::Completed, ..(*ended).clone() };
    store.kind().replace(&ended, next).await.unwrap();
    goes(&site, &[("agent", 2), ("session", 1)], "nobody names them").await;
}

#[tokio::test]
async fn commands_of_a_live_pipeline_stay_and_a_pipeline_outlives_its_last_command() {
    for backend in BACKENDS {
        let site = site(backend).await;
        let (store, old) = (&site.store, days_ago(40));
        for (id, status) in [("live", PipelineStatus::Running), ("over", PipelineStatus::Partial)] {
            create(store, id, &pipeline(status, old)).await;
            create(store, &format!("{id}-stage"), &stage(id, old)).await;
            create(store, &format!("{id}-done"), &command(CommandStatus::Success, Some(id), old))
                .await;
        }
        let late = command(CommandStatus::AwaitingReconnect, Some("over"), old);
        create(store, "late", &late).await;
        goes(&site, &[("command", 1)], "a command of it is under way").await;
        let stored = store.kind::<Command>().get("late").await.unwrap();
        let next = Command { status: CommandStatus::Timeout, ..(*stored).clone() };
        store.kind().replace(&stored, next).await.unwrap();
        goes(&site, &[("command", 1), ("pipeline", 1), ("stage_outcome", 1)], backend).await;
        assert_eq!(ids::<Command>(store).await, ["live-done"]);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_claim_that_a_command_left_behind_goes_with_it() {
    let site = site("memory").await;
    let store = &site.store;
    create(store, "old", &command(CommandStatus::Success, None, days_ago(40))).await;
    claim(store, "host/h1", "old").await;
    goes(&site, &[("claim", 1), ("command", 1)], "it is its own").await;
    create(store, "other", &command(CommandStatus::Success, None, days_ago(40))).await;
    claim(store, "host/h1", "somebody").await;
    goes(&site, &[("command", 1)], "it is another's").await;
    assert_eq!(ids::<Claim>(store).await, ["host/h1"]);
}

/// I13 in ARCHITECTURE.md.
#[tokio::test]
async fn an_artifact_that_an_open_window_holds_stays() {
    for backend in BACKENDS {
        let site = site(backend).await;
        let (store, old) = (&site.store, days_ago(8));
        for status in [WindowStatus::Waiting, WindowStatus::Dispatching, WindowStatus::Flushed] {
            let id = status.as_str();
            create(store, id, &window(status, old)).await;
            create(store, &format!("in-{id}"), &artifact(old)).await;
            create(store, &format!("{id}-1"), &item(id, &format!("in-{id}"), old)).await;
        }
        goes(&site, &[("artifact", 1), ("window", 1), ("window_item", 1)], backend).await;
        assert_eq!(ids::<Artifact>(store).await, ["in-dispatching", "in-waiting"]);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_that_never_goes_keeps_its_swarm() {
    let site = site("memory").await;
    let old = days_ago(2);
    create(&site.store, "s", &swarm(SwarmStatus::Completed, old)).await;
    create(&site.store, "a", &agent(AgentStatus::Completed, Some("s"), old)).await;
    let policies = Policies::default().with_age("agent", None).unwrap();
    let sweeper = Sweeper::new(&site.store, policies);
    assert_eq!(counts(&sweeper.preview().await.unwrap()), []);
    assert_eq!(counts(&sweeper.tick().await.unwrap()), []);
}
