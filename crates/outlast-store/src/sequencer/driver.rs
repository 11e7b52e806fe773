//! The task that owns every write of a store: nobody else awaits them, so no caller can cut one
//! off halfway.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use outlast_core::{
    Backend, Batch, Clock, Commit, Error, Outcome, PlanContext, PrunePlan, Pruned, Result,
};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::machine::{Effect, Event, GroupLimits, Machine, Ticket};

/// What callers ask of the task.
#[derive(Debug)]
pub(crate) enum Request {
    /// Commit and answer.
    Commit(Box<Batch>, oneshot::Sender<Result<Outcome>>),
    /// Commit; failures are told at the next barrier.
    Enqueue(Box<Batch>),
    /// Once everything before is settled: do this.
    Barrier(Barrier),
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
    /// A commit of this process, in revision order.
    Commit(Arc<Commit>),
    /// Another process committed something.
    Overtaken,
}

/// How many failures of enqueued batches are kept for the next barrier; the rest are counted.
const MOST_FAILURES: usize = 16;

enum Caller {
    Commit(oneshot::Sender<Result<Outcome>>),
    Enqueued,
    Barrier(Barrier),
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
    failed: u64,
    failures: Vec<Error>,
    closed: bool,
}

impl Driver {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        clock: Arc<dyn Clock>,
        requests: mpsc::Receiver<Request>,
        published: broadcast::Sender<Published>,
    ) -> Self {
        let limits = GroupLimits { batches: 1024, bytes: 16 << 20, races: 64 };
        Self {
            backend,
            clock,
            requests,
            published,
            machine: Machine::new(limits),
            callers: HashMap::new(),
            next_ticket: 0,
            failed: 0,
            failures: Vec::new(),
            closed: false,
        }
    }

    /// Runs until the store is closed, or until every handle is gone and what they had handed in
    /// is settled.
    pub(crate) async fn run(mut self) {
        while !self.closed {
            let Some(request) = self.requests.recv().await else { break };
            let mut effects = VecDeque::from(self.accept(request));
            self.accept_waiting(&mut effects);
            while let Some(effect) = effects.pop_front() {
                effects.extend(self.carry_out(effect).await);
                self.accept_waiting(&mut effects);
            }
        }
        self.refuse_rest();
    }

    /// Takes in what piled up meanwhile, so that the next group is as large as it can be.
    fn accept_waiting(&mut self, effects: &mut VecDeque<Effect>) {
        while self.machine.waiting() < GROUP_AHEAD
            && let Ok(request) = self.requests.try_recv()
        {
            effects.extend(self.accept(request));
        }
    }

    fn accept(&mut self, request: Request) -> Vec<Effect> {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        let (caller, event) = match request {
            Request::Commit(batch, reply) => {
                (Caller::Commit(reply), Event::Submitted(ticket, batch))
            }
            Request::Enqueue(batch) => (Caller::Enqueued, Event::Submitted(ticket, batch)),
            Request::Barrier(barrier) => (Caller::Barrier(barrier), Event::Barrier(ticket)),
        };
        self.callers.insert(ticket, caller);
        self.machine.step(event)
    }

    async fn carry_out(&mut self, effect: Effect) -> Vec<Effect> {
        match effect {
            Effect::Fetch(reads) => {
                let view = self.backend.fetch(&reads).await;
                let info = self.backend.info();
                let (now, epoch, durability) = (self.clock.now(), info.epoch, info.durability);
                let context = PlanContext { now, epoch, durability };
                return self.machine.step(Event::Fetched(view.map(Box::new), context));
            }
            Effect::Write(set) => {
                let written = self.backend.write(&set).await;
                return self.machine.step(Event::Written(written));
            }
            Effect::Publish(commits) => self.publish(commits),
            Effect::Overtaken => {
                // Nobody listening is fine.
                let _ = self.published.send(Published::Overtaken);
            }
            Effect::Answer(ticket, outcome) => self.answer(ticket, outcome),
            Effect::Pass(ticket) => self.pass(ticket).await,
        }
        Vec::new()
    }

    fn publish(&self, commits: Vec<Commit>) {
        if self.published.receiver_count() == 0 {
            return;
        }
        for commit in commits {
            let _ = self.published.send(Published::Commit(Arc::new(commit)));
        }
    }

    fn answer(&mut self, ticket: Ticket, outcome: Result<Outcome>) {
        match self.callers.remove(&ticket) {
            // A caller that went away learns the outcome by repeating its commit id.
            Some(Caller::Commit(reply)) => drop(reply.send(outcome)),
            Some(Caller::Enqueued) => self.note_failure(outcome),
            Some(Caller::Barrier(_)) | None => {}
        }
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
        self.failed += 1;
        if self.failures.len() < MOST_FAILURES {
            self.failures.push(error);
        }
    }

    async fn pass(&mut self, ticket: Ticket) {
        match self.callers.remove(&ticket) {
            Some(Caller::Barrier(barrier)) if self.closed => barrier.refuse(closed()),
            Some(Caller::Barrier(Barrier::Sync(reply))) => {
                let result = self.backend.sync().await;
                let _ = reply.send(self.enqueued_result().and(result));
            }
            Some(Caller::Barrier(Barrier::Close(reply))) => {
                let result = self.backend.sync().await.and(self.backend.close().await);
                self.closed = true;
                let _ = reply.send(self.enqueued_result().and(result));
            }
            Some(Caller::Barrier(Barrier::Prune(plan, limit, reply))) => {
                let _ = reply.send(self.backend.prune(&plan, limit).await);
            }
            Some(Caller::Commit(_) | Caller::Enqueued) | None => {}
        }
    }

    /// The failures of enqueued commits since the last barrier, told once.
    fn enqueued_result(&mut self) -> Result<()> {
        let failed = std::mem::take(&mut self.failed);
        let failures = std::mem::take(&mut self.failures);
        match failures.into_iter().next() {
            None => Ok(()),
            Some(first) => Err(first.context(format!(
                "{failed} enqueued commits were not applied since the last sync; the first"
            ))),
        }
    }

    /// Answers whoever is left, and wakes readers so that they learn of it.
    fn refuse_rest(&mut self) {
        self.requests.close();
        for (_, caller) in self.callers.drain() {
            match caller {
                Caller::Commit(reply) => drop(reply.send(Err(closed()))),
                Caller::Barrier(barrier) => barrier.refuse(closed()),
                Caller::Enqueued => {}
            }
        }
        while let Ok(request) = self.requests.try_recv() {
            match request {
                Request::Commit(_, reply) => drop(reply.send(Err(closed()))),
                Request::Barrier(barrier) => barrier.refuse(closed()),
                Request::Enqueue(batch) => {
                    tracing::warn!(id = %batch.id, "an enqueued commit met a closed store");
                }
            }
        }
        let _ = self.published.send(Published::Overtaken);
    }
}

fn closed() -> Error {
    Error::closed("the store was closed")
}

/// How many requests may wait inside the machine; the rest stay in the bounded channel.
const GROUP_AHEAD: usize = 2048;
