//! What goes with each change, in the same commit.

use outlast_core::{
    Agent, AgentStatus, Claim, Clock, Command, CommandStatus, EventCategory, EventLevel, Key,
    Pipeline, PipelineRecovery, PipelineStatus, RecoveryPolicy, Session, StageOutcome, StageStatus,
    Swarm, SwarmStatus, Task, TaskStatus,
};
use outlast_orchestrator::recovery::{Outcome, Policy, RecoveryOptions, RecoveryReport, recover};
use outlast_store::Store;

use crate::support::{
    BACKENDS, HOUR, IT, Site, acquire, agent, claim, command, create, events, pipeline, place,
    recovered, site, swarm, task, together, versions,
};

#[tokio::test]
async fn a_swarm_is_marked_and_its_missing_agents_are_told() {
    for backend in BACKENDS {
        let site = site(backend).await;
        let now = site.clock.now();
        create(&site.store, "made", &swarm(SwarmStatus::Creating, now)).await;
        let mut scaled = swarm(SwarmStatus::Scaling, now);
        scaled.target_agents = Some(5);
        create(&site.store, "scaled", &scaled).await;
        for (id, status) in [("a1", AgentStatus::Paused), ("a2", AgentStatus::Killed)] {
            let mut agent = agent(status, now);
            agent.swarm_id = Some("made".to_owned());
            create(&site.store, id, &agent).await;
        }
        recovered(&site).await;
        for id in ["made", "scaled"] {
            let swarm = site.store.kind::<Swarm>().get(id).await.unwrap();
            assert_eq!((swarm.status, swarm.needs_reconcile), (SwarmStatus::Active, true));
        }
        let events = events(&site.store).await;
        let details: Vec<_> = events.iter().map(|event| event.details.clone().unwrap()).collect();
        assert_eq!(details[0]["agents"], serde_json::json!(["a1"]), "{backend}");
        assert_eq!((&details[0]["missing"], &details[1]["missing"]), (&2.into(), &5.into()));
        assert_eq!(events[0].subject, Some(Key::new("swarm", "made").unwrap()));
        site.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_at_work_fails_and_its_swarm_counts_it_in_one_commit() {
    for backend in BACKENDS {
        let site = site(backend).await;
        place(&site, "agent", "running").await;
        site.clock.advance(HOUR);
        recovered(&site).await;
        let agent = site.store.kind::<Agent>().get(IT).await.unwrap();
        assert_eq!(agent.last_error.as_deref(), Some("interrupted by orchestrator restart"));
        assert_eq!(agent.completed_at, Some(site.clock.now()));
        let swarm = site.store.kind::<Swarm>().get("owner").await.unwrap();
        assert_eq!((swarm.metrics.failed, swarm.metrics.total), (1, 3), "{backend}");
        assert_eq!(swarm.status, SwarmStatus::Active);
        assert_eq!(together(&site.store, "agent", IT).await, ["agent/it", "swarm/owner"]);
        site.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn many_agents_of_one_swarm_are_each_counted() {
    let site = site("memory").await;
    place(&site, "agent", "running").await;
    for n in 0..300 {
        let mut agent = agent(AgentStatus::Spawning, site.clock.now());
        agent.swarm_id = Some("owner".to_owned());
        create(&site.store, &format!("a{n:03}"), &agent).await;
    }
    let report = recovered(&site).await;
    assert_eq!(report.count("agent", Outcome::MarkedFailed), 301);
    assert_eq!(report.totals.agents_recovered, 301);
    let swarm = site.store.kind::<Swarm>().get("owner").await.unwrap();
    assert_eq!(swarm.metrics.failed, 301);
}

#[tokio::test]
async fn a_waiting_agent_without_an_owner_is_an_orphan_and_stays() {
    let site = site("memory").await;
    place(&site, "agent", "pending").await;
    let now = site.clock.now();
    let lone = agent(AgentStatus::Pending, now);
    create(&site.store, "lone", &lone).await;
    let of = |swarm: Option<&str>, parent: Option<&str>| Agent {
        swarm_id: swarm.map(str::to_owned),
        parent_id: parent.map(str::to_owned),
        ..lone.clone()
    };
    create(&site.store, "lost", &of(Some("gone"), Some(IT))).await;
    create(&site.store, "child", &of(None, Some(IT))).await;
    create(&site.store, "stray", &of(None, Some("gone"))).await;
    create(&site.store, "at-rest", &agent(AgentStatus::Paused, now)).await;
    let report = recovered(&site).await;
    assert_eq!(report.orphans, ["lone", "lost", "stray"]);
    assert_eq!((report.changed, report.error_count), (0, 0));
}

#[tokio::test]
async fn an_agent_whose_swarm_is_gone_fails_all_the_same_and_that_is_reported() {
    let site = site("memory").await;
    let mut lost = agent(AgentStatus::Running, site.clock.now());
    lost.swarm_id = Some("gone".to_owned());
    create(&site.store, "lost", &lost).await;
    let report = recovered(&site).await;
    assert_eq!(report.count("agent", Outcome::MarkedFailed), 1);
    assert_eq!((report.errors[0].kind.as_str(), report.errors[0].id.as_str()), ("agent", "lost"));
    assert!(report.errors[0].reason.contains("gone"), "{:?}", report.errors);
}

#[tokio::test]
async fn a_session_of_a_swarm_that_is_gone_is_an_error_entry() {
    let site = site("memory").await;
    let now = site.clock.now();
    create(&site.store, "s", &swarm(SwarmStatus::Active, now)).await;
    for (id, of) in [("fine", Some("s")), ("free", None), ("lost", Some("gone"))] {
        let swarm_id = of.map(str::to_owned);
        create(&site.store, id, &Session { swarm_id, ..Session::new("t", "b", now) }).await;
    }
    let report = recovered(&site).await;
    assert_eq!(report.totals.sessions_recovered, 3);
    assert_eq!(report.error_count, 1);
    assert_eq!((report.errors[0].kind.as_str(), report.errors[0].id.as_str()), ("session", "lost"));
}

#[tokio::test]
async fn a_command_gives_its_host_up_and_tells_of_it_in_one_commit() {
    for backend in BACKENDS {
        for (state, error) in [
            ("pending", "never sent: the orchestrator restarted"),
            ("executing", "restarted while running"),
            ("killing", "restarted while running"),
        ] {
            let site = site(backend).await;
            place(&site, "command", state).await;
            recovered(&site).await;
            let command = site.store.kind::<Command>().get(IT).await.unwrap();
            assert_eq!(command.error.as_deref(), Some(error));
            assert_eq!(command.finished_at, Some(site.clock.now()));
            assert!(site.store.kind::<Claim>().find("host/h1").await.unwrap().is_none());
            assert_eq!(together(&site.store, "command", IT).await, ["command/it", "claim/host/h1"]);
            let event = events(&site.store).await.remove(0);
            let look = (event.category, event.level, event.action.as_deref());
            assert_eq!(look, (EventCategory::System, EventLevel::Warn, Some("recovery")));
            assert_eq!(event.host_id.as_deref(), Some("h1"));
            assert_eq!(event.subject, Some(Key::new("command", IT).unwrap()));
            assert!(event.message.contains("pull") && event.message.contains(error), "{event:?}");
            site.store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_claim_of_another_command_is_not_given_up() {
    let site = site("memory").await;
    create(&site.store, IT, &command(CommandStatus::Executing, site.clock.now())).await;
    claim(&site.store, "host/h1", "another").await;
    recovered(&site).await;
    assert!(site.store.kind::<Claim>().find("host/h1").await.unwrap().is_some());
}

#[tokio::test]
async fn a_command_that_waits_for_its_host_without_end_is_reported() {
    let site = site("memory").await;
    create(&site.store, IT, &command(CommandStatus::AwaitingReconnect, site.clock.now())).await;
    let report = recovered(&site).await;
    assert_eq!((report.changed, report.error_count), (0, 1));
    assert!(report.errors[0].reason.contains("without a deadline"), "{:?}", report.errors);
}

#[tokio::test]
async fn the_stage_of_an_orphaned_command_fails_with_it_or_waits_to_be_done_again() {
    for (recovery, status, stage) in [
        (PipelineRecovery::Orphan, PipelineStatus::Orphaned, StageStatus::Failed),
        (PipelineRecovery::Resume, PipelineStatus::Running, StageStatus::Pending),
    ] {
        let site = site("memory").await;
        let now = site.clock.now();
        create(&site.store, "p", &Pipeline { recovery, ..pipeline(PipelineStatus::Running, now) })
            .await;
        stages(&site.store, "p", 1).await;
        let mut of_stage = command(CommandStatus::Executing, now);
        (of_stage.host_id, of_stage.stage) = ("h0".to_owned(), Some(1));
        of_stage.pipeline_id = Some("p".to_owned());
        create(&site.store, IT, &of_stage).await;
        let outcomes = site.store.kind::<StageOutcome>();
        let running = outcomes.get("p/1/h0").await.unwrap();
        let command_id = Some(IT.to_owned());
        outcomes
            .replace(&running, StageOutcome { command_id, ..(*running).clone() })
            .await
            .unwrap();

        let report = recovered(&site).await;
        assert_eq!(report.errors, []);
        assert_eq!(site.store.kind::<Pipeline>().get("p").await.unwrap().status, status);
        assert_eq!(outcomes.get("p/1/h0").await.unwrap().status, stage, "{recovery:?}");
        let written = together(&site.store, "command", IT).await;
        assert_eq!(written, ["command/it", "stage_outcome/p/1/h0"]);
    }
}

#[tokio::test]
async fn a_stage_whose_command_waits_for_its_host_is_left_to_it() {
    let site = site("memory").await;
    let now = site.clock.now();
    create(&site.store, "p", &pipeline(PipelineStatus::Running, now)).await;
    stages(&site.store, "p", 1).await;
    let mut waits = command(CommandStatus::AwaitingReconnect, now);
    waits.reconnect_by = Some(now.plus(HOUR));
    create(&site.store, IT, &waits).await;
    let outcomes = site.store.kind::<StageOutcome>();
    let running = outcomes.get("p/1/h0").await.unwrap();
    let command_id = Some(IT.to_owned());
    outcomes.replace(&running, StageOutcome { command_id, ..(*running).clone() }).await.unwrap();
    recovered(&site).await;
    assert_eq!(outcomes.get("p/1/h0").await.unwrap().status, StageStatus::Running);
    assert_eq!(outcomes.get("p/2/h0").await.unwrap().status, StageStatus::Cancelled);
}

#[tokio::test]
async fn a_swarm_whose_last_agents_were_interrupted_is_over_unless_it_is_to_be_reconciled() {
    for (found, status) in
        [(SwarmStatus::Active, SwarmStatus::Failed), (SwarmStatus::Scaling, SwarmStatus::Active)]
    {
        let site = site("memory").await;
        let now = site.clock.now();
        let mut owner = swarm(found, now);
        owner.metrics.total = 2;
        create(&site.store, "owner", &owner).await;
        for id in ["a1", "a2"] {
            let mut agent = agent(AgentStatus::Running, now);
            agent.swarm_id = Some("owner".to_owned());
            create(&site.store, id, &agent).await;
        }
        recovered(&site).await;
        let owner = site.store.kind::<Swarm>().get("owner").await.unwrap();
        assert_eq!((owner.status, owner.metrics.failed), (status, 2));
    }
}

#[tokio::test]
async fn what_was_never_sent_is_queued_again_if_that_is_wanted_and_does_no_harm() {
    for backend in BACKENDS {
        let site = site(backend).await;
        let now = site.clock.now();
        for (id, retryable) in [("again", true), ("once", false)] {
            let mut command = command(CommandStatus::Validating, now);
            (command.host_id, command.spec.retryable) = (id.to_owned(), retryable);
            command.spec.queue_ms = Some(1000);
            create(&site.store, id, &command).await;
            claim(&site.store, &format!("host/{id}"), id).await;
        }
        let mut options = RecoveryOptions::default();
        options.table = options.table.with("command", "validating", Policy::Requeue).unwrap();
        let report = recover(&acquire(&site.store).await, &options).await.unwrap();
        assert_eq!(report.count("command", Outcome::Requeued), 1);
        assert_eq!(report.count("command", Outcome::MarkedOrphaned), 1);
        let again = site.store.kind::<Command>().get("again").await.unwrap();
        assert_eq!(again.status, CommandStatus::Queued);
        assert_eq!(again.queued_until, Some(now.plus(std::time::Duration::from_secs(1))));
        for host in ["host/again", "host/once"] {
            assert!(site.store.kind::<Claim>().find(host).await.unwrap().is_none(), "{host}");
        }
        site.store.close().await.unwrap();
    }
}

async fn stages(store: &Store, id: &str, count: u32) {
    for stage in 0..3 {
        for host in 0..count {
            let status = match stage {
                0 => StageStatus::Success,
                1 => StageStatus::Running,
                _ => StageStatus::Pending,
            };
            let host_id = format!("h{host}");
            let outcome = StageOutcome {
                status,
                pipeline_id: id.to_owned(),
                stage,
                op: "pull".to_owned(),
                host_id: host_id.clone(),
                command_id: None,
                started_at: None,
                finished_at: None,
                exit_code: None,
                error: None,
            };
            create(store, &StageOutcome::id_of(id, stage, &host_id), &outcome).await;
        }
    }
}

#[tokio::test]
async fn a_pipeline_is_orphaned_with_what_is_left_of_its_stages() {
    for (backend, hosts) in [("memory", 2), ("sqlite", 2), ("sled", 2), ("memory", 400)] {
        let site = site(backend).await;
        create(&site.store, IT, &pipeline(PipelineStatus::Running, site.clock.now())).await;
        stages(&site.store, IT, hosts).await;
        let report = recovered(&site).await;
        assert_eq!(report.count("pipeline", Outcome::MarkedOrphaned), 1);
        let pipeline = site.store.kind::<Pipeline>().get(IT).await.unwrap();
        assert_eq!(pipeline.finished_at, Some(site.clock.now()));
        let outcomes = site.store.kind::<StageOutcome>();
        for (stage, status) in
            [(0, StageStatus::Success), (1, StageStatus::Failed), (2, StageStatus::Cancelled)]
        {
            for host in 0..hosts {
                let id = StageOutcome::id_of(IT, stage, &format!("h{host}"));
                assert_eq!(outcomes.get(&id).await.unwrap().status, status, "{backend} {id}");
            }
        }
        let event = events(&site.store).await.remove(0);
        assert_eq!(event.details.unwrap()["remaining"], serde_json::json!(["switch", "test"]));
        site.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_pipeline_that_asks_for_it_is_left_to_be_resumed() {
    let site = site("memory").await;
    let mut resumes = pipeline(PipelineStatus::Running, site.clock.now());
    resumes.recovery = PipelineRecovery::Resume;
    create(&site.store, IT, &resumes).await;
    stages(&site.store, IT, 2).await;
    let before = versions(&site.store).await.len();
    let report = recovered(&site).await;
    assert_eq!(report.count("pipeline", Outcome::Resumed), 1);
    // The lease and the record of the recovery are all that was written.
    assert_eq!(versions(&site.store).await.len(), before + 2);
}

#[tokio::test]
async fn a_task_is_settled_as_it_asks_for() {
    for (policy, status, outcome, attempts) in [
        (RecoveryPolicy::Interrupted, TaskStatus::Interrupted, Outcome::MarkedInterrupted, 1),
        (RecoveryPolicy::Restart, TaskStatus::Interrupted, Outcome::Restarted, 2),
        (RecoveryPolicy::Failed, TaskStatus::Failed, Outcome::MarkedFailed, 1),
    ] {
        let site = site("memory").await;
        create(&site.store, IT, &task(TaskStatus::Running, policy, site.clock.now())).await;
        let report = recovered(&site).await;
        assert_eq!(report.count("task", outcome), 1, "{policy:?}: {report:?}");
        let tasks = site.store.kind::<Task>();
        assert_eq!(tasks.get(IT).await.unwrap().status, status);
        assert_eq!(tasks.count(&tasks.query().unwrap(), &[]).await.unwrap().total, attempts);
        let again = recovered_again(&site).await;
        assert_eq!(again.changed, 0, "{policy:?}");
    }
}

async fn recovered_again(site: &Site) -> RecoveryReport {
    let mut lease = site.store.kind::<outlast_core::Lease>().get("run").await.unwrap();
    site.store.kind().delete(&lease).await.unwrap();
    lease.transient.clear();
    recovered(site).await
}
