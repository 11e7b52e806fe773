//! The stage of a pipeline follows its command, in the same commit.

use outlast_core::{
    Command, CommandStatus, Error, ErrorKind, OpSpec, Pipeline, PipelineRecovery, PipelineStatus,
    Result, StageOutcome, StageStatus, Status,
};
use outlast_store::{Draft, Store, Stored};

use super::completion::SHUT_DOWN;

/// Moves the outcome row of a command's stage to what became of the command, if it is the one the
/// row waits for. A row that is there no more, or is settled, stays as it is.
pub(super) async fn follow(
    store: &Store,
    draft: &mut Draft,
    command_id: &str,
    command: &Command,
) -> Result<()> {
    let (Some(pipeline_id), Some(stage)) = (&command.pipeline_id, command.stage) else {
        return Ok(());
    };
    if !command.status.is_settled() {
        return Ok(());
    }
    let id = StageOutcome::id_of(pipeline_id, stage, &command.host_id);
    let Some(outcome) = store.kind::<StageOutcome>().find(&id).await? else { return Ok(()) };
    let is_its_own = outcome.command_id.as_deref() == Some(command_id);
    if is_its_own && outcome.status == StageStatus::Running {
        return catch_up(store, draft, &outcome, Some(command)).await;
    }
    Ok(())
}

/// Moves an outcome row that is running to what became of its settled command; one that is gone
/// counts as orphaned. A stage that was cut off waits for its turn again, if its pipeline goes on.
pub(super) async fn catch_up(
    store: &Store,
    draft: &mut Draft,
    outcome: &Stored<StageOutcome>,
    command: Option<&Command>,
) -> Result<()> {
    let next = if is_cut_off(command) && goes_on(store, &outcome.pipeline_id).await? {
        StageOutcome { status: StageStatus::Pending, started_at: None, ..(**outcome).clone() }
    } else {
        let gone = || Some("its command is gone".to_owned());
        StageOutcome {
            status: command.map_or(StageStatus::Failed, |command| ended(command.status)),
            finished_at: command.and_then(|command| command.finished_at),
            exit_code: command.and_then(|command| command.exit_code),
            error: command.map_or_else(gone, |command| command.error.clone()),
            ..(**outcome).clone()
        }
    };
    draft.replace(outcome, &next).map(drop)
}

/// Whether a command did not come to its own end: who carried it out is gone, or was shut down.
fn is_cut_off(command: Option<&Command>) -> bool {
    command.is_none_or(|command| {
        command.status == CommandStatus::Orphaned
            || (command.status == CommandStatus::Killed
                && command.code.as_deref() == Some(SHUT_DOWN))
    })
}

/// Whether a pipeline is to go on after its orchestrator. One that cannot be read does not.
async fn goes_on(store: &Store, pipeline_id: &str) -> Result<bool> {
    match store.kind::<Pipeline>().find(pipeline_id).await {
        Ok(Some(pipeline)) => Ok(pipeline.status == PipelineStatus::Running
            && pipeline.recovery == PipelineRecovery::Resume),
        Ok(None) => Ok(false),
        Err(error) if error.is_of_one_record() => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a stage of a pipeline does. `NotFound` if there is no such pipeline, or no such stage.
pub(super) async fn spec_of(store: &Store, pipeline_id: &str, stage: u32) -> Result<OpSpec> {
    let pipeline = store.kind::<Pipeline>().get(pipeline_id).await?;
    let spec = pipeline.stages.get(stage as usize).cloned();
    spec.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("{} has no stage {stage}", pipeline.key))
    })
}

/// Moves an outcome row from pending to running, for as long as its pipeline is in that stage:
/// the commit fails if it was called off meanwhile. `NotFound` if there is no such row,
/// `IllegalTransition` if it or the pipeline is not where it has to be.
pub(super) async fn begin(
    store: &Store,
    draft: &mut Draft,
    command_id: &str,
    command: &Command,
) -> Result<()> {
    let (Some(pipeline_id), Some(stage)) = (&command.pipeline_id, command.stage) else {
        return Ok(());
    };
    let pipeline = store.kind::<Pipeline>().get(pipeline_id).await?;
    let id = StageOutcome::id_of(pipeline_id, stage, &command.host_id);
    let outcome = store.kind::<StageOutcome>().get(&id).await?;
    let is_its_turn = pipeline.status == PipelineStatus::Running && pipeline.current_stage == stage;
    if outcome.status != StageStatus::Pending || !is_its_turn {
        let (key, status) = (&outcome.key, outcome.status.as_str());
        let (of, in_stage) = (pipeline.status.as_str(), pipeline.current_stage);
        let message = format!(
            "{key} cannot begin: it is {status}, and its pipeline is {of}, in stage {in_stage}"
        );
        return Err(Error::new(ErrorKind::IllegalTransition, message));
    }
    let next = StageOutcome {
        status: StageStatus::Running,
        command_id: Some(command_id.to_owned()),
        started_at: Some(command.created_at),
        ..(*outcome).clone()
    };
    draft.fence(&pipeline).replace(&outcome, &next).map(drop)
}

/// What a settled command makes of its stage.
fn ended(status: CommandStatus) -> StageStatus {
    match status {
        CommandStatus::Success => StageStatus::Success,
        CommandStatus::Cancelled => StageStatus::Cancelled,
        _ => StageStatus::Failed,
    }
}
