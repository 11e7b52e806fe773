//! Where a pipeline stands, as it is recorded.

use std::collections::HashMap;
use std::pin::pin;

use futures_util::StreamExt;
use outlast_core::{
    AttrName, Error, Filter, Order, Page, Pipeline, Result, StageOutcome, StageStatus, Status,
};
use outlast_store::{Store, Stored};
use serde::Serialize;

use super::board::{Board, Place};
#[cfg(feature = "process")]
use super::step::{self, Step};

/// How many records are read at once.
const PAGE: u32 = 256;

/// A pipeline with what came of its stages.
#[derive(Clone, Debug)]
pub struct PipelineState {
    /// The pipeline.
    pub pipeline: Stored<Pipeline>,
    /// What came of each stage on each host, stage by stage and in the order of the hosts; nothing
    /// where that is not recorded yet.
    cells: Vec<Option<Stored<StageOutcome>>>,
    board: Board,
}

/// How many outcomes of a pipeline are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StageStats {
    /// Waiting for their turn, or not even recorded.
    pub pending: u64,
    /// Under way.
    pub running: u64,
    /// Successful.
    pub success: u64,
    /// Failed.
    pub failed: u64,
    /// Left out because the host failed before.
    pub skipped: u64,
    /// Called off.
    pub cancelled: u64,
}

impl PipelineState {
    /// Reads a pipeline with its outcomes.
    ///
    /// `NotFound` if there is none; `Corrupt` or `Incompatible` if it or an outcome of it cannot be
    /// read: what to do next cannot be told then. Cancel safe.
    pub async fn read(store: &Store, id: &str) -> Result<Self> {
        let pipeline = store.kind::<Pipeline>().get(id).await?;
        Self::of(store, pipeline).await
    }

    /// The newest pipeline of a store and where it stands; `None` if there never was one.
    pub async fn newest(store: &Store) -> Result<Option<Self>> {
        let pipelines = store.kind::<Pipeline>();
        let mut query = pipelines.query()?;
        // Ids grow.
        (query.order, query.descending, query.page) = (Order::Id, true, Page::first(1));
        match pin!(pipelines.stream(query)).next().await.transpose()? {
            Some(pipeline) => Self::of(store, pipeline).await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn of(store: &Store, pipeline: Stored<Pipeline>) -> Result<Self> {
        let (stages, hosts) = (pipeline.stages.len(), pipeline.hosts.len());
        let places: HashMap<&str, usize> =
            pipeline.hosts.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
        let outcomes = store.kind::<StageOutcome>();
        let mut query = outcomes.query()?.filter(Filter::is(AttrName::group(), pipeline.id()));
        query.page = Page::first(store.info().limits.page.min(PAGE));
        let (mut cells, mut board) = (vec![None; stages * hosts], Board::new(stages, hosts));
        let mut found = pin!(outcomes.stream(query));
        while let Some(outcome) = found.next().await {
            let outcome = outcome?;
            let host = places.get(outcome.host_id.as_str()).copied();
            let place = host.map(|host| Place { stage: outcome.stage as usize, host });
            let place = place.ok_or_else(|| foreign(&outcome))?;
            let cell = cells.get_mut(place.stage * hosts + place.host);
            let cell = cell.ok_or_else(|| foreign(&outcome))?;
            board.set(place, outcome.status);
            *cell = Some(outcome);
        }
        Ok(Self { pipeline, cells, board })
    }

    /// What came of each stage on each host, stage by stage and in the order of the hosts, as far
    /// as it is recorded.
    pub fn outcomes(&self) -> impl Iterator<Item = &Stored<StageOutcome>> {
        self.cells.iter().flatten()
    }

    /// What came of a stage, counted from 0, on the host with this id.
    pub fn outcome(&self, stage: usize, host_id: &str) -> Option<&Stored<StageOutcome>> {
        let host = self.pipeline.hosts.iter().position(|id| id == host_id)?;
        self.at(Place { stage, host })
    }

    /// Whether the pipeline is settled and nothing of it is under way or waits.
    pub fn is_over(&self) -> bool {
        let is_open = |outcome: &Stored<StageOutcome>| !outcome.status.is_settled();
        self.pipeline.status.is_settled() && !self.outcomes().any(is_open)
    }

    /// How many outcomes are where.
    pub fn stats(&self) -> StageStats {
        let mut stats = StageStats::default();
        for (_, status) in self.board.iter() {
            *stats.of(status.unwrap_or(StageStatus::Pending)) += 1;
        }
        stats
    }

    /// What is to be done next about it.
    #[cfg(feature = "process")]
    pub(super) fn next_step(&self) -> Step {
        step::next(self.pipeline.status, self.pipeline.current_stage as usize, &self.board)
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    pub(super) fn at(&self, place: Place) -> Option<&Stored<StageOutcome>> {
        self.cells.get(place.stage * self.pipeline.hosts.len() + place.host)?.as_ref()
    }

    /// Writes down what an outcome has become.
    #[cfg(feature = "process")]
    pub(super) fn set(&mut self, place: Place, outcome: Stored<StageOutcome>) {
        self.board.set(place, outcome.status);
        let cell = place.stage * self.pipeline.hosts.len() + place.host;
        if let Some(cell) = self.cells.get_mut(cell) {
            *cell = Some(outcome);
        }
    }
}

fn foreign(outcome: &Stored<StageOutcome>) -> Error {
    let (key, pipeline) = (&outcome.key, &outcome.pipeline_id);
    Error::corrupt(format!("{key} names a stage or a host that pipeline {pipeline} does not have"))
}

impl StageStats {
    fn of(&mut self, status: StageStatus) -> &mut u64 {
        match status {
            StageStatus::Pending => &mut self.pending,
            StageStatus::Running => &mut self.running,
            StageStatus::Success => &mut self.success,
            StageStatus::Failed => &mut self.failed,
            StageStatus::Skipped => &mut self.skipped,
            StageStatus::Cancelled => &mut self.cancelled,
        }
    }
}
