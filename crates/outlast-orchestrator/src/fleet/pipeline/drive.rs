//! Driving one pipeline, step by step, until it is over or the sign to stop comes.
//!
//! Each step is decided from what is recorded, and whatever is done is one commit that expects it
//! to be so still. Where it is not, because somebody called the pipeline off, all is read again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use outlast_core::{
    Error, ErrorKind, PipelineRecovery, PipelineStatus, Result, StageOutcome, StageStatus,
};
use outlast_store::Stored;
use tokio::task::{Id, JoinError, JoinSet};

use super::board::Place;
use super::conductor::Shared;
use super::moves::Moves;
use super::recovery::{RESTARTED, settle_left};
use super::state::PipelineState;
use super::step::Step;
use super::turn::Turn;
use crate::{Shutdown, Urgency};

/// How often in a row a step may be overtaken by somebody else.
const TRIES: u32 = 32;

/// A pipeline while it is driven.
///
/// Dropping it kills the processes of its commands.
pub(super) struct Drive {
    shared: Arc<Shared>,
    moves: Moves,
    turns: JoinSet<Result<Stored<StageOutcome>>>,
    places: HashMap<Id, Place>,
    under_way: HashSet<Place>,
    /// Tells the turns to end.
    stop: Shutdown,
    /// How often in a row somebody else was faster.
    overtaken: u32,
    /// Whether it has to be read again.
    is_stale: bool,
}

impl Drive {
    pub(super) fn new(shared: Arc<Shared>, state: PipelineState) -> Self {
        Self {
            moves: Moves::new(shared.clone(), state),
            shared,
            turns: JoinSet::new(),
            places: HashMap::new(),
            under_way: HashSet::new(),
            stop: Shutdown::default(),
            overtaken: 0,
            is_stale: false,
        }
    }

    pub(super) fn into_state(self) -> PipelineState {
        self.moves.state
    }

    /// Drives it. Nothing of it runs on this machine any more when it returns.
    pub(super) async fn run(&mut self, shutdown: &Shutdown) -> Result<()> {
        let mut driven = self.take_up().await;
        if driven.is_ok() {
            driven = self.go_on(shutdown).await;
        }
        if driven.is_err() {
            // Nothing is run that cannot be recorded.
            self.stop.begin();
        }
        while !self.turns.is_empty() {
            let waited = self.wait(shutdown).await;
            driven = driven.and(waited);
        }
        driven
    }

    /// Deals with what an orchestrator that ended has left.
    async fn take_up(&mut self) -> Result<()> {
        let left = settle_left(&self.shared, &self.moves.state).await?;
        if !left.is_empty() {
            tracing::debug!(stages = left.len(), "what was cut off is settled");
            self.moves.reload().await?;
            self.moves.tell_of(&left);
        }
        if self.moves.state.pipeline.recovery == PipelineRecovery::Orphan {
            while self.moves.state.pipeline.status == PipelineStatus::Running {
                let made = self.moves.orphan(RESTARTED).await;
                self.or_reload(made).await?;
            }
        }
        Ok(())
    }

    async fn go_on(&mut self, shutdown: &Shutdown) -> Result<()> {
        while !shutdown.has_begun() {
            if std::mem::take(&mut self.is_stale) {
                self.moves.reload().await?;
            }
            match self.moves.state.next_step() {
                Step::Over => return Ok(()),
                Step::Wait => self.wait_for(StageStatus::Running, shutdown).await?,
                Step::Start(places) => self.start(&places, shutdown).await?,
                Step::Cancel(places) => {
                    self.settle(&places, StageStatus::Cancelled, shutdown).await?;
                }
                Step::Skip(places) => self.settle(&places, StageStatus::Skipped, shutdown).await?,
                step => {
                    let made = self.moves.make(&step).await;
                    self.or_reload(made).await?;
                }
            }
        }
        Ok(())
    }

    /// Starts as many as there is room for, or waits for room.
    async fn start(&mut self, places: &[Place], shutdown: &Shutdown) -> Result<()> {
        let room = self.shared.options.max_concurrent.saturating_sub(self.turns.len());
        let waiting = places.iter().filter(|place| !self.under_way.contains(place));
        let started: Vec<Place> = waiting.take(room).copied().collect();
        if started.is_empty() {
            return self.wait(shutdown).await;
        }
        for place in started {
            self.spawn(place);
        }
        Ok(())
    }

    /// Waits for what is under way, also for what nobody of this process has begun.
    async fn wait_for(&mut self, status: StageStatus, shutdown: &Shutdown) -> Result<()> {
        let mut waited_for = self.moves.state.board().places(Some(status));
        waited_for.retain(|place| !self.under_way.contains(place));
        for place in waited_for {
            self.spawn(place);
        }
        self.wait(shutdown).await
    }

    /// Settles what waits, a page of it, except what is about to begin.
    async fn settle(
        &mut self,
        places: &[Place],
        status: StageStatus,
        shutdown: &Shutdown,
    ) -> Result<()> {
        let waiting = places.iter().filter(|place| !self.under_way.contains(place));
        let places: Vec<Place> = waiting.copied().collect();
        if places.is_empty() {
            return self.wait(shutdown).await;
        }
        let made = self.moves.settle(&places, status).await;
        self.or_reload(made).await
    }

    /// Overtaken, reads all again, and the next step is decided anew.
    async fn or_reload(&mut self, made: Result<()>) -> Result<()> {
        match made {
            Err(error) if error.kind() == ErrorKind::Conflict && self.overtaken < TRIES => {
                self.overtaken += 1;
                self.moves.reload().await
            }
            made => {
                self.overtaken = 0;
                made
            }
        }
    }

    fn spawn(&mut self, place: Place) {
        let Some(outcome) = self.moves.state.at(place).cloned() else { return };
        let turn = Turn { shared: self.shared.clone(), outcome, stop: self.stop.clone() };
        let handle = self.turns.spawn(turn.take());
        self.places.insert(handle.id(), place);
        self.under_way.insert(place);
    }

    /// Waits until one of the turns is over, passing on the sign to stop.
    async fn wait(&mut self, shutdown: &Shutdown) -> Result<()> {
        loop {
            let known = self.stop.urgency();
            tokio::select! {
                biased;
                urgency = shutdown.beyond(known), if known < Urgency::Immediate => match urgency {
                    Urgency::Immediate => self.stop.kill(),
                    _ => self.stop.begin(),
                },
                joined = self.turns.join_next_with_id() => return match joined {
                    Some(joined) => self.join(joined),
                    None => Ok(()),
                },
            }
        }
    }

    fn join(
        &mut self,
        joined: Result<(Id, Result<Stored<StageOutcome>>), JoinError>,
    ) -> Result<()> {
        let (id, outcome) = match joined {
            Ok((id, outcome)) => (id, outcome),
            Err(fallen) => {
                let error = Error::internal("a command's supervisor panicked, so it was killed");
                (fallen.id(), Err(error.with_source(fallen)))
            }
        };
        let Some(place) = self.places.remove(&id) else { return Ok(()) };
        self.under_way.remove(&place);
        let outcome = outcome?;
        // It could not begin, or was cut off: the pipeline is not what it was read as.
        self.is_stale |= outcome.status == StageStatus::Pending;
        self.moves.take_note(place, outcome);
        Ok(())
    }
}
