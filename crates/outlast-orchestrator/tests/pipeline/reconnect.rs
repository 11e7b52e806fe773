//! Stages whose hosts go away and have to come back.

use outlast_core::{CommandStatus, OpSpec, PipelineRecovery, PipelineStatus};
use outlast_orchestrator::fleet::pipeline::Definition;
use outlast_orchestrator::fleet::{Fleet, Reconnection};
use outlast_store::Store;

use crate::support::{assert_tidy, commands, drive, everywhere, lose_driver, table, within};

/// A reboot, and a test after it.
fn reboot(reconnect_ms: u64) -> Definition {
    let reboot = OpSpec { reconnect_ms: Some(reconnect_ms), ..OpSpec::new("reboot") };
    let definition = Definition::new("reboot", ["a", "b"], [reboot, OpSpec::new("test")]).unwrap();
    definition.recovery(PipelineRecovery::Resume)
}

/// Waits until so many commands wait for their hosts, and says which.
async fn awaiting(store: &Store, count: usize) -> Vec<String> {
    loop {
        let kind = store.kind::<outlast_core::Command>();
        let page = kind.list(&kind.query().unwrap()).await.unwrap().items.into_iter();
        let waiting = page.map(Result::unwrap);
        let waiting = waiting.filter(|one| one.status == CommandStatus::AwaitingReconnect);
        let waiting: Vec<_> = waiting.map(|one| one.id().to_owned()).collect();
        if waiting.len() == count {
            return waiting;
        }
        tokio::task::yield_now().await;
    }
}

async fn come_back(store: &Store, ids: &[String]) {
    let commands = Fleet::new(store).commands();
    for id in ids {
        commands.reconnected(id, Reconnection::Renewed).await.unwrap();
    }
}

#[tokio::test]
async fn a_host_that_is_away_keeps_the_barrier_until_it_is_back() {
    everywhere(async |site| {
        let pipeline = site.pipelines().create(&reboot(600_000)).await.unwrap();
        let conductor = site.conductor().await;
        let coming_back = async {
            let ids = awaiting(&site.store, 2).await;
            assert_eq!(site.world.times("test", "a"), 0);
            come_back(&site.store, &ids).await;
        };
        let (state, ()) =
            within(async { tokio::join!(drive(&conductor, pipeline.id()), coming_back) }).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Complete);
    })
    .await;
}

#[tokio::test]
async fn one_that_is_away_while_the_orchestrator_ends_is_waited_for_by_the_next() {
    everywhere(async |site| {
        let id = site.pipelines().create(&reboot(600_000)).await.unwrap().id().to_owned();
        let first = site.conductor().await;
        let ids = tokio::select! {
            state = drive(&first, &id) => panic!("{state:?}"),
            ids = awaiting(&site.store, 2) => ids,
        };
        lose_driver(&site.store).await;
        let second = site.conductor().await;
        let coming_back = async {
            tokio::task::yield_now().await;
            come_back(&site.store, &ids).await;
        };
        let (state, ()) = within(async { tokio::join!(drive(&second, &id), coming_back) }).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Complete);
        assert_eq!(site.world.times("reboot", "a"), 1, "it was waited for, not done again");
        assert_eq!(commands(&site.store).await.len(), 4);
        assert_tidy(&site.store).await;
    })
    .await;
}

#[tokio::test]
async fn one_that_does_not_come_back_in_time_fails_also_for_the_next_orchestrator() {
    everywhere(async |site| {
        let id = site.pipelines().create(&reboot(1)).await.unwrap().id().to_owned();
        let state = drive(&site.conductor().await, &id).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Failed);
        lose_driver(&site.store).await;

        let id = site.pipelines().create(&reboot(600_000)).await.unwrap().id().to_owned();
        let first = site.conductor().await;
        let ids = tokio::select! {
            state = drive(&first, &id) => panic!("{state:?}"),
            ids = awaiting(&site.store, 2) => ids,
        };
        lose_driver(&site.store).await;
        let kind = site.store.kind::<outlast_core::Command>();
        for id in &ids {
            let late = |command: &mut outlast_core::Command| {
                command.reconnect_by = Some(command.created_at);
                Ok(())
            };
            kind.update(id, late).await.unwrap();
        }
        let state = drive(&site.conductor().await, &id).await;
        assert_eq!(
            (state.pipeline.status, table(&state).as_str()),
            (PipelineStatus::Failed, "ff kk")
        );
        assert_tidy(&site.store).await;
    })
    .await;
}
