//! `outlast pipelines`: stages that run over several hosts.

use clap::Args;
use outlast::{Pipeline, PipelineStatus, Status as _, Store, Stored};

use crate::commands::show;
use crate::context::Context;
use crate::failure::Outcome;
use crate::listing::{self, Paging, Row, cell};
use crate::output::moment;
use crate::view::elapsed;

/// List pipelines, the newest first, or show one with what came of each stage on each host
///
/// With an ID the same as show --kind pipeline ID. With --json: {"pipelines": [{"id", "version",
/// "updated_at", "status", "name", "hosts": [ID], "stages": [{"op", "warning_ms", "timeout_ms",
/// "retryable", ...}], "current_stage", "recovery", "created_at", and where there is one
/// "finished_at", "error"}], "more": whether there are more after the last}.
#[derive(Debug, Args)]
pub(crate) struct PipelinesArgs {
    /// Show this one: its id, or the beginning of it
    #[arg(conflicts_with_all = ["status", "limit", "after"])]
    id: Option<String>,

    /// List only those in this state, such as running, complete, partial or failed
    #[arg(long, value_parser = PipelineStatus::parse)]
    status: Option<PipelineStatus>,

    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(args: &PipelinesArgs, store: &Store, context: &mut Context) -> Outcome {
    if let Some(id) = &args.id {
        return show::one::<Pipeline>(id, store, context).await;
    }
    let query = listing::with_status(store.kind::<Pipeline>().query()?, args.status);
    listing::list::<Pipeline>(query, &args.paging, store, context).await
}

impl Row for Pipeline {
    const MANY: &'static str = "pipelines";
    const HEADINGS: &'static [&'static str] = &["NAME", "STAGE", "HOSTS", "CREATED", "TOOK"];

    fn cells(pipeline: &Stored<Self>) -> Vec<String> {
        let (stage, stages) = (pipeline.current_stage as usize, pipeline.stages.len());
        let began = (pipeline.status != PipelineStatus::Idle).then_some(pipeline.created_at);
        vec![
            pipeline.name.clone(),
            format!("{} of {stages}", (stage + 1).min(stages)),
            pipeline.hosts.len().to_string(),
            moment(pipeline.created_at),
            cell(elapsed(began, pipeline.finished_at, pipeline.status.is_settled())),
        ]
    }
}
