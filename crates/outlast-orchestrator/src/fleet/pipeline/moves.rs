//! The moves of a pipeline itself, each one commit under the right to drive the store.

use std::sync::Arc;

use outlast_core::{Error, Pipeline, PipelineStatus, Result, StageOutcome, StageStatus, Status};
use outlast_store::{Draft, Stored};

use super::board::Place;
use super::conductor::Shared;
use super::milestone;
use super::pipelines::{create_outcomes, page, settle_waiting};
use super::progress::Progress;
use super::report;
use super::state::PipelineState;
use super::step::Step;
use crate::telemetry;

/// A pipeline as it was read, to be moved on.
pub(super) struct Moves {
    pub(super) shared: Arc<Shared>,
    pub(super) state: PipelineState,
}

/// Errors are those of the commit: `Conflict` if somebody else has changed what is moved.
impl Moves {
    pub(super) fn new(shared: Arc<Shared>, state: PipelineState) -> Self {
        Self { shared, state }
    }

    /// Reads all of it again.
    pub(super) async fn reload(&mut self) -> Result<()> {
        let id = self.state.pipeline.id().to_owned();
        self.state = PipelineState::read(self.shared.store(), &id).await?;
        Ok(())
    }

    /// Makes the move that a step says.
    pub(super) async fn make(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Record(places) => self.record(places).await,
            Step::Begin => self.begin().await,
            Step::Advance => self.advance().await,
            Step::End(status) => self.end(*status).await,
            other => Err(Error::internal(format!("{other:?} is no move of the pipeline itself"))),
        }
    }

    /// Adds outcomes that a creation which was cut off did not record.
    async fn record(&mut self, places: &[Place]) -> Result<()> {
        for places in places.chunks(page(self.shared.store())) {
            let mut draft = self.shared.draft(None);
            create_outcomes(&mut draft, &self.state.pipeline, places)?;
            match self.shared.instance.commit(&draft).await {
                // Whoever creates it is at it still.
                Err(error) if error.kind() == outlast_core::ErrorKind::Exists => {}
                committed => committed.map(drop)?,
            }
        }
        self.reload().await
    }

    async fn begin(&mut self) -> Result<()> {
        let next = Pipeline { status: PipelineStatus::Running, ..(*self.state.pipeline).clone() };
        let mut draft = self.shared.draft(None);
        draft.report(&milestone::begun(&self.state.pipeline, &self.shared.cause))?;
        self.commit(draft, next).await
    }

    async fn advance(&mut self) -> Result<()> {
        let current_stage = self.state.pipeline.current_stage + 1;
        let next = Pipeline { current_stage, ..(*self.state.pipeline).clone() };
        let mut draft = self.shared.draft(None);
        draft.report(&milestone::stage_done(&self.state, &self.shared.cause))?;
        self.commit(draft, next).await
    }

    async fn end(&mut self, status: PipelineStatus) -> Result<()> {
        let cause = &self.shared.cause;
        let mut draft = self.shared.draft(None);
        draft.report(&milestone::stage_done(&self.state, cause))?;
        draft.report(&report::ended(&self.state.pipeline, status, cause))?;
        self.settle_as(draft, status, milestone::shortfall(&self.state, status)).await
    }

    /// Gives it up: what waits is called off, page by page, and then it is orphaned.
    pub(super) async fn orphan(&mut self, reason: &str) -> Result<()> {
        loop {
            let waiting = self.state.board().places(Some(StageStatus::Pending));
            if waiting.is_empty() {
                break;
            }
            self.settle(&waiting, StageStatus::Cancelled).await?;
        }
        let status = PipelineStatus::Orphaned;
        let mut draft = self.shared.draft(Some(reason));
        draft.report(&report::ended(&self.state.pipeline, status, &self.shared.cause))?;
        self.settle_as(draft, status, Some(reason.to_owned())).await
    }

    /// Settles a page of what waits.
    pub(super) async fn settle(&mut self, places: &[Place], status: StageStatus) -> Result<()> {
        let places = places.get(..page(self.shared.store())).unwrap_or(places);
        let mut draft = self.shared.draft(None);
        settle_waiting(&mut draft, &self.state, places, status)?;
        let receipt = self.shared.instance.commit(&draft).await?;
        for place in places {
            let Some(outcome) = self.state.at(*place) else { continue };
            let next = StageOutcome { status, ..(**outcome).clone() };
            let version = receipt.version(&outcome.key).unwrap_or(outcome.version);
            let next = outcome.advanced(next, version, receipt.at)?;
            self.take_note(*place, next);
        }
        Ok(())
    }

    /// Tells where these are now.
    pub(super) fn tell_of(&self, places: &[Place]) {
        for outcome in places.iter().filter_map(|place| self.state.at(*place)) {
            self.shared.tell(Progress::of_outcome(outcome));
        }
    }

    /// An outcome has become this.
    pub(super) fn take_note(&mut self, place: Place, outcome: Stored<StageOutcome>) {
        self.shared.tell(Progress::of_outcome(&outcome));
        self.state.set(place, outcome);
    }

    async fn settle_as(
        &mut self,
        draft: Draft,
        status: PipelineStatus,
        error: Option<String>,
    ) -> Result<()> {
        let finished_at = Some(self.shared.store().clock().now());
        let next = Pipeline { status, finished_at, error, ..(*self.state.pipeline).clone() };
        self.commit(draft, next).await
    }

    async fn commit(&mut self, mut draft: Draft, next: Pipeline) -> Result<()> {
        let pipeline = &self.state.pipeline;
        draft.replace(pipeline, &next)?;
        let receipt = self.shared.instance.commit(&draft).await?;
        let version = receipt.version(&pipeline.key).ok_or_else(|| {
            Error::internal(format!("the receipt of {} lacks {}", receipt.id, pipeline.key))
        })?;
        self.state.pipeline = pipeline.advanced(next, version, receipt.at)?;
        let status = self.state.pipeline.status;
        if status.is_settled() {
            let status = status.as_str();
            metrics::counter!(telemetry::PIPELINES_SETTLED, "status" => status).increment(1);
        }
        self.shared.tell(Progress::of_pipeline(&self.state.pipeline));
        Ok(())
    }
}
