//! Pipelines: one that ran is orphaned, stages and all, or is left to its engine to resume.
//!
//! The rows of its stages may be more than one commit takes. Those that do not fit go first, in
//! commits of their own, while the pipeline still runs: cut off in between, it is found again.

use outlast_core::{
    AttrName, Command, Filter, Page, Pipeline, PipelineRecovery, PipelineStatus, Result,
    StageOutcome, StageStatus, Status, Test,
};
use outlast_store::Stored;
use serde_json::json;

use super::policy::Policy;
use super::report::Outcome;
use super::scene::{Recoverable, Scene, Verdict, meaningless, told};

const RESTARTED: &str = "the orchestrator restarted while it ran";

/// Operations that a commit needs besides those for the stages: the fence, the pipeline, the event.
const OTHERS: usize = 4;

/// How many stages are listed at once.
const PAGE: u32 = 128;

impl Recoverable for Pipeline {
    async fn settle(scene: &Scene<'_>, stored: &Stored<Self>, policy: Policy) -> Result<Verdict> {
        match policy {
            Policy::Keep => Ok(Verdict::left(Outcome::Unchanged)),
            Policy::Own if stored.recovery == PipelineRecovery::Resume => {
                Ok(Verdict::left(Outcome::Resumed))
            }
            Policy::Own | Policy::Orphan => orphan(scene, stored).await,
            _ => Err(meaningless(&stored.key, policy)),
        }
    }
}

async fn orphan(scene: &Scene<'_>, stored: &Stored<Pipeline>) -> Result<Verdict> {
    let room = scene.store.info().limits.ops.saturating_sub(OTHERS).clamp(1, 500);
    let (stages, has_more) = left_stages(scene, stored.id(), room).await?;
    let mut draft = scene.draft(RESTARTED);
    for stage in &stages {
        let (status, finished_at) = match stage.status {
            StageStatus::Running => (StageStatus::Failed, Some(scene.now())),
            _ => (StageStatus::Cancelled, None),
        };
        let error = Some(RESTARTED.to_owned());
        let next = StageOutcome { status, finished_at, error, ..(**stage).clone() };
        draft.replace(stage, &next)?;
    }
    if has_more {
        return Ok(Verdict::begin(Outcome::MarkedOrphaned, draft));
    }
    let next = Pipeline {
        status: PipelineStatus::Orphaned,
        finished_at: Some(scene.now()),
        error: Some(RESTARTED.to_owned()),
        ..(**stored).clone()
    };
    draft.replace(stored, &next)?;
    let current = usize::try_from(stored.current_stage).unwrap_or(usize::MAX);
    let remaining: Vec<_> = stored.stages.iter().skip(current).map(|stage| &stage.op).collect();
    let message = format!(
        "{} ({}) was in stage {current} of {} and is orphaned: {RESTARTED}",
        stored.key,
        stored.name,
        stored.stages.len()
    );
    let details = json!({ "current_stage": current, "remaining": remaining });
    draft.report(&told(&stored.key, message, details))?;
    Ok(Verdict::change(Outcome::MarkedOrphaned, draft))
}

/// Stages of a pipeline that nobody will settle, as many as there is room for, and whether there
/// are more.
async fn left_stages(
    scene: &Scene<'_>,
    pipeline_id: &str,
    room: usize,
) -> Result<(Vec<Stored<StageOutcome>>, bool)> {
    let outcomes = scene.store.kind::<StageOutcome>();
    let open = StageStatus::ALL.iter().filter(|status| !status.is_settled());
    let open = open.map(|status| status.as_str().into()).collect();
    let mut query = outcomes.query()?.filter(Filter::is(AttrName::group(), pipeline_id));
    query.filters.push(Filter { name: AttrName::status(), test: Test::AnyOf(open) });
    query.page = Page::first(PAGE);
    let mut stages = Vec::new();
    loop {
        let page = outcomes.list(&query).await?;
        for stage in page.items {
            match stage {
                Ok(stage) if is_left(scene, &stage).await? => stages.push(stage),
                // One that cannot be read stays as it is, and keeps no other from being settled.
                Err(error) if !error.is_of_one_record() => return Err(error),
                _ => {}
            }
        }
        match page.next {
            Some(next) if stages.len() <= room => query.page = query.page.after(next),
            _ => break,
        }
    }
    let has_more = stages.len() > room;
    stages.truncate(room);
    Ok((stages, has_more))
}

/// Whether no command settles a stage when it ends: one may be waiting for its host still.
async fn is_left(scene: &Scene<'_>, stage: &StageOutcome) -> Result<bool> {
    let Some(command_id) = &stage.command_id else { return Ok(true) };
    if stage.status != StageStatus::Running {
        return Ok(true);
    }
    let command = scene.linked::<Command>(command_id).await?;
    Ok(command.found.is_none_or(|command| command.status.is_settled()))
}
