//! The task that owns every write of a store: nobody else awaits them, so no caller can cut one
//! off halfway.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    Backend, Batch, Clock, Durability, Error, Key, Outcome, PlanContext, PrunePlan, Pruned, Result,
    WriteSet, Written, planted,
};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::yield_now;
use tracing::{Instrument, Span, debug_span, field};

use crate::backlog::{Load, Room};
use crate::telemetry;

use super::machine::{Effect, Event, GroupLimits, Machine, Ticket};

/// What callers ask of the task.
#[derive(Debug)]
pub(crate) enum Request {
    /// Commit.
    Commit(Box<Batch>, Waiting),
    /// Once everything before is settled: do this.
    Barrier(Barrier),
}

/// What is kept of a batch while it waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Whom to answer; the failure of a batch that nobody waits for is told at the next barrier.
    pub(crate) reply: Option<oneshot::Sender<Result<Outcome>>>,
    /// Its share of the queue, given back with the answer.
    pub(crate) room: Room,
}

/// What is done between two groups, and whom to answer.
#[derive(Debug)]
pub(crate) enum Barrier {
    /// Sync the backend.
    Sync(oneshot::Sender<Result<()>>),
    /// Sync and close the backend, and stop.
    Close(oneshot::Sender<Result<()>>),
    /// Remove what the plan names, at most about so many rows.
    Prune(PrunePlan, u32, oneshot::Sender<Result<Pruned>>),
}

impl Barrier {
    fn refuse(self, error: Error) {
        match self {
            Self::Sync(reply) | Self::Close(reply) => drop(reply.send(Err(error))),
            Self::Prune(_, _, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// What readers in this process are told.
#[derive(Clone, Debug)]
pub(crate) enum Published {
    /// What a commit of this process changed, in revision order.
    Changed(Arc<[Key]>),
    /// Something changed that cannot be named, or the store stopped.
    Overtaken,
}

enum Caller {
    Commit(Waiting),
    Barrier(Barrier),
}

/// Failures that nobody was told of yet.
#[derive(Debug, Default)]
struct Failures {
    first: Option<Error>,
    count: u64,
}

impl Failures {
    fn add(&mut self, error: Error) {
        self.count += 1;
        self.first.get_or_insert(error);
    }

    fn result(&self) -> Result<()> {
        let Some(first) = &self.first else { return Ok(()) };
        let count = self.count;
        Err(first.clone().context(format!(
            "{count} enqueued commits were not applied since the last sync; the first"
        )))
    }
}

/// The task.
pub(crate) struct Driver {
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    requests: mpsc::Receiver<Request>,
    published: broadcast::Sender<Published>,
    machine: Machine,
    callers: HashMap<Ticket, Caller>,
    next_ticket: Ticket,
    failures: Failures,
    load: Arc<Load>,
    /// Commits in the order they came in, some of them answered, and when that was.
    arrivals: VecDeque<(Ticket, Duration)>,
    /// The group that is at work.
    group: Span,
}

impl Driver {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        clock: Arc<dyn Clock>,
        requests: mpsc::Receiver<Request>,
        published: broadcast::Sender<Published>,
        load: Arc<Load>,
    ) -> Self {
        // What is not made durable costs no more one by one.
        let gathers = backend.info().durability == Durability::Durable;
        let limits = GroupLimits { batches: 1024, bytes: 16 << 20, races: 64, gathers };
        Self {
            backend,
            clock,
            requests,
            published,
            machine: Machine::new(limits),
            callers: HashMap::new(),
            next_ticket: 0,
            failures: Failures::default(),
            load,
            arrivals: VecDeque::new(),
            group: Span::none(),
        }
    }

    /// Runs until the store is closed, or until every handle is gone and what they had handed in
    /// is settled.
    pub(crate) async fn run(mut self) {
        while !self.is_closed() {
            let Some(request) = self.requests.recv().await else { break };
            let mut effects = VecDeque::from(self.accept(request));
            self.accept_waiting(&mut effects);
            while let Some(effect) = effects.pop_front() {
                effects.extend(self.carry_out(effect).await);
                self.accept_waiting(&mut effects);
            }
        }
        self.refuse_rest().await;
    }

    fn is_closed(&self) -> bool {
        self.load.is_closed()
    }

    /// Takes in what piled up meanwhile, so that the next group is as large as it can be.
    fn accept_waiting(&mut self, effects: &mut VecDeque<Effect>) {
        while !self.is_closed()
            && self.machine.waiting() < GROUP_AHEAD
            && let Ok(request) = self.requests.try_recv()
        {
            effects.extend(self.accept(request));
        }
    }

    fn accept(&mut self, request: Request) -> Vec<Effect> {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        let (caller, event) = match request {
            Request::Commit(batch, waiting) => {
                self.arrivals.push_back((ticket, waiting.room.since));
                if self.arrivals.len() == 1 {
                    self.load.oldest(Some(waiting.room.since));
                }
                (Caller::Commit(waiting), Event::Submitted(ticket, batch))
            }
            Request::Barrier(barrier) => (Caller::Barrier(barrier), Event::Barrier(ticket)),
        };
        self.callers.insert(ticket, caller);
        self.machine.step(event)
    }

    async fn carry_out(&mut self, effect: Effect) -> Vec<Effect> {
        match effect {
            Effect::Fetch(reads) => {
                self.begin_group();
                let view = self.backend.fetch(&reads).instrument(self.group.clone()).await;
                if view.is_err() {
                    metrics::counter!(telemetry::STORE_FAILURES).increment(1);
                }
                let info = self.backend.info();
                let (now, epoch, durability) = (self.clock.now(), info.epoch, info.durability);
                let context = PlanContext { now, epoch, durability };
                return self.machine.step(Event::Fetched(view.map(Box::new), context));
            }
            Effect::Write(set) if planted("acknowledged-early") => {
                return self.acknowledge_early(&set).await;
            }
            Effect::Write(set) => {
                let written = self.write(&set).await;
                return self.machine.step(Event::Written(written));
            }
            Effect::Publish(changed) => self.publish(changed),
            Effect::Overtaken => {
                let _ = self.published.send(Published::Overtaken);
            }
            Effect::Answer(ticket, outcome) => self.answer(ticket, outcome),
            Effect::Pass(ticket) => self.pass(ticket).await,
            Effect::Gather(answered) => return self.gather(answered).await,
        }
        Vec::new()
    }

    /// A planted bug: callers are answered before anything is written.
    async fn acknowledge_early(&mut self, set: &WriteSet) -> Vec<Effect> {
        let applied = Written::Applied(self.backend.info().durability);
        let effects = self.machine.step(Event::Written(Ok(applied)));
        let (answers, later) = effects.into_iter().partition(|e| matches!(e, Effect::Answer(..)));
        let answers: Vec<Effect> = answers;
        for effect in answers {
            if let Effect::Answer(ticket, outcome) = effect {
                self.answer(ticket, outcome);
            }
        }
        yield_now().await;
        let _ = self.write(set).await;
        later
    }

    /// Gives up its turn as long as more come in, until all who were answered are back.
    ///
    /// Many callers who change one thing after another would otherwise come in two halves, each
    /// waiting while the other is written.
    async fn gather(&mut self, answered: usize) -> Vec<Effect> {
        let mut effects = VecDeque::new();
        let mut seen = self.machine.waiting();
        let all = seen + answered;
        let mut idle = 0;
        while seen < all && idle < IDLE_TURNS {
            yield_now().await;
            self.accept_waiting(&mut effects);
            let waiting = self.machine.waiting();
            idle = if waiting > seen { 0 } else { idle + 1 };
            seen = waiting;
        }
        effects.extend(self.machine.step(Event::Gathered));
        effects.into()
    }

    fn begin_group(&mut self) {
        self.group = debug_span!("group", commits = field::Empty);
        #[allow(clippy::cast_precision_loss)]
        let (batches, bytes) = (self.load.batches() as f64, self.load.bytes() as f64);
        metrics::gauge!(telemetry::STORE_QUEUE).set(batches);
        metrics::gauge!(telemetry::STORE_QUEUE_BYTES).set(bytes);
    }

    async fn write(&mut self, set: &WriteSet) -> Result<Written> {
        let commits = set.commits.len() as u64;
        self.group.record("commits", commits);
        let start = self.clock.monotonic();
        let written = self.backend.write(set).instrument(self.group.clone()).await;
        match &written {
            Ok(Written::Applied(_)) => {
                let took = self.clock.monotonic().saturating_sub(start);
                metrics::counter!(telemetry::STORE_GROUPS).increment(1);
                metrics::counter!(telemetry::STORE_COMMITS).increment(commits);
                #[allow(clippy::cast_precision_loss)]
                metrics::histogram!(telemetry::STORE_GROUP_COMMITS).record(commits as f64);
                metrics::histogram!(telemetry::STORE_GROUP_SECONDS).record(took);
            }
            Ok(Written::Raced) => metrics::counter!(telemetry::STORE_RACES).increment(1),
            Err(_) => metrics::counter!(telemetry::STORE_FAILURES).increment(1),
        }
        written
    }

    fn publish(&self, changed: Vec<Arc<[Key]>>) {
        for keys in changed {
            // Nobody listening is fine.
            let _ = self.published.send(Published::Changed(keys));
        }
    }

    fn answer(&mut self, ticket: Ticket, outcome: Result<Outcome>) {
        let Some(Caller::Commit(Waiting { reply, room })) = self.callers.remove(&ticket) else {
            return;
        };
        drop(room);
        self.note_oldest();
        if matches!(outcome, Ok(Outcome::Conflict { .. })) {
            metrics::counter!(telemetry::STORE_CONFLICTS).increment(1);
        }
        match reply {
            // A caller that went away learns the outcome by repeating its commit id.
            Some(reply) => drop(reply.send(outcome)),
            None => self.note_failure(outcome),
        }
    }

    /// Notes since when the oldest commit waits that is not answered.
    fn note_oldest(&mut self) {
        while let Some((ticket, _)) = self.arrivals.front()
            && !self.callers.contains_key(ticket)
        {
            self.arrivals.pop_front();
        }
        self.load.oldest(self.arrivals.front().map(|(_, since)| *since));
    }

    fn note_failure(&mut self, outcome: Result<Outcome>) {
        let error = match outcome {
            Ok(Outcome::Applied(_) | Outcome::Replayed(_)) => return,
            Ok(Outcome::Conflict { key, expected, actual }) => {
                crate::commit::conflict(key, expected, actual)
            }
            Err(error) => error,
        };
        tracing::warn!(%error, "an enqueued commit failed");
        self.failures.add(error);
    }

    async fn pass(&mut self, ticket: Ticket) {
        match self.callers.remove(&ticket) {
            Some(Caller::Barrier(barrier)) if self.is_closed() => barrier.refuse(closed()),
            Some(Caller::Barrier(Barrier::Sync(reply))) => {
                let result = self.backend.sync().await;
                self.report(result, reply);
            }
            Some(Caller::Barrier(Barrier::Close(reply))) => {
                let result = self.backend.sync().await.and(self.backend.close().await);
                self.load.close();
                self.report(result, reply);
            }
            Some(Caller::Barrier(Barrier::Prune(plan, limit, reply))) => {
                let _ = reply.send(self.backend.prune(&plan, limit).await);
            }
            Some(Caller::Commit(_)) | None => {}
        }
    }

    /// Answers a barrier: with what is wrong with the store, else with the failures of enqueued
    /// commits. These are forgotten once somebody was there to be told.
    fn report(&mut self, result: Result<()>, reply: oneshot::Sender<Result<()>>) {
        match result {
            Err(error) => drop(reply.send(Err(error))),
            Ok(()) if reply.send(self.failures.result()).is_ok() => {
                self.failures = Failures::default();
            }
            Ok(()) => {}
        }
    }

    /// Answers whoever is left.
    async fn refuse_rest(&mut self) {
        self.requests.close();
        for (_, caller) in self.callers.drain() {
            match caller {
                Caller::Commit(waiting) => waiting.refuse(),
                Caller::Barrier(barrier) => barrier.refuse(closed()),
            }
        }
        // Not `try_recv`: a caller may be about to put its request into a place it has taken.
        while let Some(request) = self.requests.recv().await {
            match request {
                Request::Commit(_, waiting) => waiting.refuse(),
                Request::Barrier(barrier) => barrier.refuse(closed()),
            }
        }
    }
}

impl Drop for Driver {
    /// Also runs when the backend panicked: watchers wake and find that the store stopped, and
    /// callers find their answer gone.
    fn drop(&mut self) {
        self.requests.close();
        let _ = self.published.send(Published::Overtaken);
    }
}

impl Waiting {
    fn refuse(self) {
        if let Some(reply) = self.reply {
            let _ = reply.send(Err(closed()));
        } else {
            tracing::warn!("an enqueued commit met a closed store");
        }
    }
}

fn closed() -> Error {
    Error::closed("the store was closed")
}

/// How many turns are given up in vain before a group begins without those who are missing.
const IDLE_TURNS: usize = 3;

/// How many requests may wait inside the machine; the rest stay in the bounded channel.
const GROUP_AHEAD: usize = 2048;
