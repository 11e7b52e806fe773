//! One task from the gate to its settlement.
//!
//! The order is what makes it durable: the process exists behind its gate, is recorded, and only
//! then let go; its output is recorded while it runs; and the end is recorded together with the
//! last of the output, never before it.

use std::sync::Arc;
use std::time::Duration;

use outlast_core::{Error, ErrorKind, NewEntry, OnIdle, Result, Status, Task, TaskStatus};
use outlast_store::Stored;
use tokio::sync::Notify;

use super::ending::Ending;
use super::engine::Engine;
use super::file::spec_of;
use super::idle::Silence;
use super::journal::log_of;
use super::orders::{Orders, Reason};
use crate::instance::is_conflict_on;
use crate::output::Output;
use crate::process::{Capture, Exit, Gated, Pipes, Running, Spec, Survivor};

/// How often an end is recorded anew when somebody else changed the task meanwhile.
const TRIES: u32 = 5;

/// One attempt at a task, and all that is needed to carry it out.
#[derive(Debug)]
pub(super) struct Attempt {
    engine: Arc<Engine>,
    task: Stored<Task>,
    orders: Orders,
}

impl Attempt {
    pub(super) fn new(engine: Arc<Engine>, task: Stored<Task>, orders: Orders) -> Self {
        Self { engine, task, orders }
    }

    /// Carries it out. An error is the store's; the process is then stopped all the same.
    ///
    /// If the future is dropped, the process is killed, and the task stays as it was recorded.
    pub(super) async fn run(mut self) -> Result<()> {
        match self.orders.given().map(|order| order.reason) {
            Some(reason @ (Reason::Requested | Reason::Silence)) => {
                return self.settle(&Ending::Unstarted(reason), Vec::new()).await;
            }
            // It keeps its turn for the next time.
            Some(Reason::Shutdown | Reason::Storage) => return Ok(()),
            None => {}
        }
        let gated = match Gated::spawn(&spec(&self.task)) {
            Ok(gated) => gated,
            Err(error) => return self.settle(&Ending::Broken(error), Vec::new()).await,
        };
        if !self.begin(&gated).await? {
            return Ok(());
        }
        match gated.release() {
            Ok((running, pipes)) => self.watch(running, pipes).await,
            Err(error) => self.settle(&Ending::Broken(error), Vec::new()).await,
        }
    }

    /// Records the process; false if the task was taken out of the queue meanwhile.
    async fn begin(&mut self, gated: &Gated) -> Result<bool> {
        let next = Task {
            status: TaskStatus::Running,
            started_at: Some(self.engine.clock().now()),
            process: Some(gated.identity().clone()),
            owner_instance: Some(self.engine.instance.clone()),
            ..(*self.task).clone()
        };
        let journal = &self.engine.journal;
        let cause = journal.store().cause().clone();
        match journal.record(&self.task, next, Vec::new(), cause).await {
            Ok(task) => {
                self.task = task;
                self.engine.tell(&self.task);
                Ok(true)
            }
            Err(error) if is_conflict_on(&error, &self.task.key) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn watch(mut self, running: Running, pipes: Pipes) -> Result<()> {
        let engine = self.engine.clone();
        let clock = engine.clock().clone();
        let (capture, fragments) = Capture::start(pipes, engine.options.flush, clock);
        let heard = Arc::new(Notify::new());
        let output = Output {
            instance: engine.journal.instance().clone(),
            stream: log_of(self.task.id())?,
            owner: self.task.key.clone(),
            heard: heard.clone(),
        };
        let orders = self.orders.clone();
        let record = async {
            let recorded = output.record(fragments).await;
            if recorded.is_err() {
                orders.stop(Reason::Storage, false);
            }
            recorded
        };
        let (ending, rest) = tokio::join!(self.supervise(&running, &capture, &heard), record);
        self.settle(&ending?, rest?).await
    }

    /// Waits for the end of the process, brings it about if told to, and records silence.
    ///
    /// The capture has ended when this returns, also after an error.
    async fn supervise(
        &mut self,
        running: &Running,
        capture: &Capture,
        heard: &Notify,
    ) -> Result<Ending> {
        let threshold = Duration::from_millis(self.task.spec.idle_threshold_ms);
        let clock = self.engine.clock().clone();
        let silence = Silence::new(capture.activity(), clock, threshold);
        let orders = self.orders.clone();
        let mut silent_since = Duration::ZERO;
        loop {
            let is_idle = self.task.status == TaskStatus::Idle;
            let moved = tokio::select! {
                biased;
                exit = running.wait() => return Ok(self.exited(exit, running, capture).await),
                reason = orders.stopped() => return Ok(self.stop(reason, running, capture).await),
                last = silence.lasts(), if !is_idle => {
                    silent_since = last;
                    if self.task.spec.on_idle == OnIdle::Interrupt {
                        orders.stop(Reason::Silence, false);
                    }
                    self.advance(TaskStatus::Idle).await
                }
                () = heard.notified(), if is_idle => {
                    if !silence.is_broken_since(silent_since) {
                        continue;
                    }
                    self.advance(TaskStatus::Running).await
                }
            };
            if let Err(error) = moved {
                self.stop(Reason::Storage, running, capture).await;
                return Err(error);
            }
        }
    }

    async fn advance(&mut self, status: TaskStatus) -> Result<()> {
        let next = Task { status, ..(*self.task).clone() };
        let journal = &self.engine.journal;
        let cause = journal.store().cause().clone();
        self.task = journal.transition(&self.task, next, Vec::new(), cause).await?;
        self.engine.tell(&self.task);
        Ok(())
    }

    async fn exited(&self, exit: Result<Exit>, running: &Running, capture: &Capture) -> Ending {
        let finished = match exit {
            Ok(_) => running.finish(capture, self.engine.options.drain).await,
            Err(error) => Err(error),
        };
        capture.cut();
        finished.map_or_else(Ending::Broken, Ending::Exited)
    }

    async fn stop(&self, reason: Reason, running: &Running, capture: &Capture) -> Ending {
        let ended = tokio::select! {
            ended = self.end(running, self.engine.options.grace) => ended,
            () = self.orders.hurried() => self.end(running, Duration::ZERO).await,
        };
        let finished = match ended {
            Ok(()) => running.finish(capture, self.engine.options.drain).await,
            Err(error) => Err(error),
        };
        capture.cut();
        finished.map_or_else(Ending::Broken, |exit| Ending::Stopped(reason, exit))
    }

    /// Ends the process and its group, and then what has left the group.
    async fn end(&self, running: &Running, grace: Duration) -> Result<()> {
        // Found first: a parent that still runs may be all that ties a process to the task.
        let found = Survivor::find(running.identity(), self.task.id()).await;
        running.interrupt(grace).await?;
        match found? {
            Some(survivor) if !survivor.pids().is_empty() => survivor.stop(grace).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Records the end, with the rest of the output. If somebody else has settled the task, theirs
    /// stays and the output is recorded.
    async fn settle(&mut self, ending: &Ending, rest: Vec<NewEntry>) -> Result<()> {
        let journal = &self.engine.journal;
        let mut tries = 1;
        loop {
            let next = ending.of(&self.task, self.engine.clock().now());
            let cause = match ending.error() {
                Some(reason) => journal.cause(&reason),
                None => journal.store().cause().clone(),
            };
            match journal.transition(&self.task, next, rest.clone(), cause).await {
                Ok(task) => {
                    self.task = task;
                    self.engine.tell(&self.task);
                    return Ok(());
                }
                Err(error) if is_conflict_on(&error, &self.task.key) && tries < TRIES => {
                    tries += 1;
                    self.task = journal.store().kind().get(self.task.id()).await?;
                    if self.task.status.is_settled() {
                        return self.keep(rest).await;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn keep(&self, rest: Vec<NewEntry>) -> Result<()> {
        if rest.is_empty() {
            return Ok(());
        }
        let journal = &self.engine.journal;
        let mut draft = journal.draft(journal.store().cause().clone());
        draft.append(log_of(self.task.id())?, rest);
        journal.commit(&draft).await.map(drop)
    }
}

/// Settles a task whose supervisor panicked. Its process was killed when the supervisor fell.
pub(super) async fn settle_fallen(engine: &Arc<Engine>, task_id: &str) -> Result<()> {
    let task: Stored<Task> = engine.journal.store().kind().get(task_id).await?;
    if task.status.is_settled() {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Internal, "its supervisor panicked, so it was killed");
    let mut attempt = Attempt::new(engine.clone(), task, Orders::default());
    attempt.settle(&Ending::Broken(error), Vec::new()).await
}

fn spec(task: &Stored<Task>) -> Spec {
    let mut spec = spec_of(task.id(), &task.spec);
    spec.env.insert("OUTLAST_RUN_ID".into(), task.run_id.clone());
    spec.env.insert("OUTLAST_ATTEMPT".into(), task.attempt.to_string());
    spec
}
