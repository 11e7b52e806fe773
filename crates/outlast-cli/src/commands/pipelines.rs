//! `outlast pipelines`: stages that run over several hosts.

use clap::{Args, Subcommand};
use outlast::fleet::pipeline::Pipelines;
use outlast::{Pipeline, PipelineStatus, Status as _, Store, Stored};

use crate::commands::act::{self, Target};
use crate::commands::show;
use crate::context::Context;
use crate::failure::Outcome;
use crate::listing::{self, Paging, Row, cell};
use crate::output::moment;
use crate::view::elapsed;

/// List pipelines, the newest first, show one with what came of each stage on each host, or
/// cancel one
///
/// With an ID the same as show --kind pipeline ID. With --json: {"pipelines": [{"id", "version",
/// "updated_at", "status", "name", "hosts": [ID], "stages": [{"op", "warning_ms", "timeout_ms",
/// "retryable", ...}], "current_stage", "recovery", "created_at", and where there is one
/// "finished_at", "error"}], "more": whether there are more after the last}, and of an act one such
/// object.
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

    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Call one off: what runs goes on to its end, and nothing of it begins any more
    Cancel(Target),
}

impl PipelinesArgs {
    /// Whether it changes anything.
    pub(crate) fn changes(&self) -> bool {
        self.act.is_some()
    }

    fn asks_for_a_list(&self) -> bool {
        self.id.is_some() || self.status.is_some() || self.paging.is_given()
    }
}

pub(crate) async fn run(args: &PipelinesArgs, store: &Store, context: &mut Context) -> Outcome {
    if let Some(Act::Cancel(target)) = &args.act {
        act::check_alone(args.asks_for_a_list())?;
        let pipelines = Pipelines::of(store).with_cause(target.cause()?);
        return act::changed(&pipelines.cancel(&target.id).await?, context);
    }
    if let Some(id) = &args.id {
        return show::one::<Pipeline>(id, store, context).await;
    }
    let query = listing::with_status(store.kind::<Pipeline>().query()?, args.status);
    listing::list(query, &args.paging, cells, store, context).await
}

impl Row for Pipeline {
    const MANY: &'static str = "pipelines";
    const HEADINGS: &'static [&'static str] = &["NAME", "STAGE", "HOSTS", "CREATED", "TOOK"];
}

fn cells(pipeline: &Stored<Pipeline>) -> Vec<String> {
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
