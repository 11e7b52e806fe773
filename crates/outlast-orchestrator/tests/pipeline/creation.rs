//! What is not even begun.

use outlast_core::{ErrorKind, OpSpec, Pipeline, PipelineStatus, StageOutcome};
use outlast_orchestrator::fleet::Fleet;
use outlast_orchestrator::fleet::pipeline::Definition;
use outlast_store::Store;

use crate::support::{deploy, drive, everywhere, table};

async fn assert_nothing_recorded(store: &Store) {
    let pipelines = store.kind::<Pipeline>();
    assert!(pipelines.list(&pipelines.query().unwrap()).await.unwrap().items.is_empty());
    let outcomes = store.kind::<StageOutcome>();
    assert!(outcomes.list(&outcomes.query().unwrap()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn an_unknown_host_is_refused_by_name_and_nothing_is_written() {
    everywhere(async |site| {
        let with_stranger = Definition::new("deploy", ["a", "z"], [OpSpec::new("pull")]).unwrap();
        let error = site.pipelines().create(&with_stranger).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("\"z\""), "{error}");
        assert_nothing_recorded(&site.store).await;
    })
    .await;
}

#[tokio::test]
async fn a_busy_host_is_refused_with_its_command_and_nothing_is_written() {
    everywhere(async |site| {
        let commands = Fleet::new(&site.store).commands();
        let held = commands.begin("b", OpSpec::new("reboot")).await.unwrap();
        let error = site.pipelines().create(&deploy()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exists);
        let message = error.to_string();
        for part in ["\"b\"", held.id(), "reboot"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert_nothing_recorded(&site.store).await;
        commands.cancel(held.id(), "a test").await.unwrap();
        site.pipelines().create(&deploy()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn more_outcomes_than_a_commit_takes_are_recorded_in_pages() {
    everywhere(async |site| {
        let stages: Vec<_> = (0..500).map(|stage| OpSpec::new(format!("op{stage}"))).collect();
        let long = Definition::new("long", ["a", "b", "c"], stages).unwrap();
        let pipeline = site.pipelines().create(&long).await.unwrap();
        let state = site.pipelines().state(pipeline.id()).await.unwrap();
        assert_eq!((state.outcomes().count(), state.stats().pending), (1500, 1500));
        assert_eq!(pipeline.status, PipelineStatus::Idle);
    })
    .await;
}

#[tokio::test]
async fn a_creation_that_was_cut_off_is_completed_when_it_is_driven() {
    everywhere(async |site| {
        let pipeline = site.pipelines().create(&deploy()).await.unwrap();
        let outcomes = site.store.kind::<StageOutcome>();
        for (stage, host) in [(1, "c"), (2, "a"), (2, "b"), (2, "c")] {
            let id = StageOutcome::id_of(pipeline.id(), stage, host);
            outcomes.delete(&outcomes.get(&id).await.unwrap()).await.unwrap();
        }
        let before = site.pipelines().state(pipeline.id()).await.unwrap();
        assert_eq!(table(&before), "ppp pp. ...");
        let state = drive(&site.conductor().await, pipeline.id()).await;
        assert_eq!(table(&state), "sss sss sss");
    })
    .await;
}

#[tokio::test]
async fn one_conductor_does_not_drive_a_pipeline_twice_at_once() {
    use crate::support::within;
    use crate::world::Act;
    use outlast_orchestrator::Shutdown;
    use outlast_orchestrator::fleet::Completion;

    everywhere(async |site| {
        site.world.tell("pull", "a", Act::Hold);
        let pipeline = site.pipelines().create(&deploy()).await.unwrap();
        let conductor = site.conductor().await;
        let second = async {
            site.world.has_begun("pull", "a").await;
            let refused = conductor.drive(pipeline.id(), &Shutdown::default()).await;
            site.world.let_go("pull", "a", Completion::exited(0));
            refused.unwrap_err().kind()
        };
        let (state, refused) =
            within(async { tokio::join!(drive(&conductor, pipeline.id()), second) }).await;
        assert_eq!((state.pipeline.status, refused), (PipelineStatus::Complete, ErrorKind::Exists));
    })
    .await;
}
