//! Pipelines: one that ran is orphaned, stages and all, or is left to its engine to resume.
//!
//! The rows of its stages may be more than one commit takes. Those that do not fit go first, in
//! commits of their own, while the pipeline still runs: cut off in between, it is found again.

use outlast_core::{
    AttrName, Filter, Page, Pipeline, PipelineRecovery, PipelineStatus, Result, StageOutcome,
    StageStatus, Status,
};
use outlast_store::Stored;
use serde_json::json;

use super::policy::Policy;
use super::report::Outcome;
use super::scene::{Recoverable, Scene, Verdict, meaningless, told};

const RESTARTED: &str = "the orchestrator restarted while it ran";

/// Operations that a commit needs besides those for the stages: the fence, the pipeline, the event.
const OTHERS: usize = 4;

impl Recoverable for Pipeline {
    async fn settle(scene: &Scene<'_>, stored: &Stored<Self>, policy: Policy) -> Result<Verdict> {
        let resumes = match policy {
            Policy::Keep => return Ok(Verdict::left(Outcome::Unchanged)),
            Policy::Own => stored.recovery == PipelineRecovery::Resume,
            Policy::Resume => true,
            Policy::Orphan => false,
            _ => return Err(meaningless(&stored.key, policy)),
        };
        if resumes { Ok(Verdict::left(Outcome::Resumed)) } else { orphan(scene, stored).await }
    }
}

async fn orphan(scene: &Scene<'_>, stored: &Stored<Pipeline>) -> Result<Verdict> {
    let room = scene.store.info().limits.ops.saturating_sub(OTHERS).clamp(1, 500);
    let (stages, has_more) = open_stages(scene, stored.id(), room).await?;
    let mut draft = scene.draft(RESTARTED);
    for stage in &stages {
        let status = match stage.status {
            StageStatus::Running => StageStatus::Failed,
            _ => StageStatus::Cancelled,
        };
        let next = StageOutcome {
            status,
            finished_at: Some(scene.now()),
            error: Some(RESTARTED.to_owned()),
            ..(**stage).clone()
        };
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

/// Stages of a pipeline that are not over, as many as there is room for, and whether there are
/// more.
async fn open_stages(
    scene: &Scene<'_>,
    pipeline_id: &str,
    room: usize,
) -> Result<(Vec<Stored<StageOutcome>>, bool)> {
    let outcomes = scene.store.kind::<StageOutcome>();
    let mut query = outcomes.query()?.filter(Filter::is(AttrName::group(), pipeline_id));
    let open = StageStatus::ALL.iter().filter(|status| !status.is_settled());
    let open = open.map(|status| status.as_str().into()).collect();
    query.filters.push(Filter { name: AttrName::status(), test: outlast_core::Test::AnyOf(open) });
    query.page = Page::first(u32::try_from(room + 1).unwrap_or(u32::MAX));
    let mut stages = Vec::new();
    loop {
        let page = outcomes.list(&query).await?;
        // One that cannot be read stays as it is, as the pipeline's other rows need not.
        stages.extend(page.items.into_iter().flatten());
        match page.next {
            Some(next) if stages.len() <= room => query.page = query.page.after(next),
            _ => break,
        }
    }
    let has_more = stages.len() > room;
    stages.truncate(room);
    Ok((stages, has_more))
}
