//! What drives pipelines: the one process that has the right to.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use outlast_core::{Cause, Error, ErrorKind, Result};
use outlast_store::{Draft, Store};
use tracing::Instrument;

use super::drive::Drive;
use super::options::ConductorOptions;
use super::progress::Progress;
use super::state::PipelineState;
use crate::fleet::{Commands, Driver, DriverOptions, Executor, Fleet};
use crate::{Instance, Shutdown};

/// Drives pipelines under the right to drive a store. Cheap to clone.
///
/// Errors of every method, besides those named: `Fenced` once the right was lost, after which
/// nothing was or will be written; and those of the store.
#[derive(Clone, Debug)]
pub struct Conductor {
    pub(super) shared: Arc<Shared>,
}

/// What every part of a drive shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) instance: Instance,
    pub(super) driver: Driver,
    pub(super) options: ConductorOptions,
    pub(super) cause: Cause,
    driven: Mutex<HashSet<String>>,
    unsent: AtomicU64,
}

impl Conductor {
    /// A conductor whose commands are carried out by `executor`. `Invalid` if the options allow
    /// no command at all.
    pub fn new(
        instance: &Instance,
        executor: Arc<dyn Executor>,
        options: ConductorOptions,
    ) -> Result<Self> {
        if options.max_concurrent == 0 {
            return Err(Error::invalid("at least 1 host must be allowed to work at a time"));
        }
        let driver = Driver::new(instance, executor);
        let driver = driver.with_options(DriverOptions { grace: options.grace });
        let shared = Shared {
            cause: instance.store().cause().clone(),
            instance: instance.clone(),
            driver,
            options,
            driven: Mutex::default(),
            unsent: AtomicU64::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Drives a pipeline until it is over, and says where it stands in the end.
    ///
    /// One that was under way when its orchestrator ended is taken up first. What survived of its
    /// commands is stopped, and they are orphaned. If it is to be resumed, their stages begin
    /// anew, and it goes on in the stage it was in: no stage that succeeded on a host is done
    /// again there. If not, it is orphaned, and so is what was under way; the rest is called off.
    ///
    /// It ends early when `shutdown` says so: then nothing begins any more, and commands that run
    /// are asked to end and killed after their grace. The pipeline stays as it is recorded, to be
    /// driven again. An error of the store ends it the same way, except that what could not be
    /// recorded stays as it was.
    ///
    /// `NotFound` if there is no such pipeline, `Exists` if this conductor is driving it already.
    /// If the future is dropped, processes of this machine are killed, and driving it again
    /// takes it up.
    pub async fn drive(&self, pipeline_id: &str, shutdown: &Shutdown) -> Result<PipelineState> {
        let _driven = self.shared.enter(pipeline_id)?;
        let state = PipelineState::read(self.shared.store(), pipeline_id).await?;
        let mut drive = Drive::new(self.shared.clone(), state);
        let span = tracing::info_span!("pipeline", id = pipeline_id);
        let driven = drive.run(shutdown).instrument(span).await;
        let state = drive.into_state();
        driven.map(|()| state)
    }

    /// How many moves were not told for lack of room.
    pub fn unsent(&self) -> u64 {
        self.shared.unsent.load(Ordering::Relaxed)
    }
}

impl Shared {
    pub(super) fn store(&self) -> &Store {
        self.instance.store()
    }

    /// The journal of commands, written to for this reason.
    pub(super) fn commands(&self, reason: Option<&str>) -> Commands {
        Fleet::driven_by(&self.instance).with_cause(self.cause(reason)).commands()
    }

    pub(super) fn draft(&self, reason: Option<&str>) -> Draft {
        self.instance.draft(self.cause(reason))
    }

    fn cause(&self, reason: Option<&str>) -> Cause {
        match reason {
            Some(reason) => self.cause.clone().because(reason),
            None => self.cause.clone(),
        }
    }

    /// Tells whoever listens, and never waits for them.
    pub(super) fn tell(&self, progress: Progress) {
        let Some(listener) = &self.options.progress else { return };
        if listener.try_send(progress).is_err() {
            self.unsent.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn enter(self: &Arc<Self>, pipeline_id: &str) -> Result<Driven> {
        let mut driven = self.driven.lock().unwrap_or_else(PoisonError::into_inner);
        if !driven.insert(pipeline_id.to_owned()) {
            let message = format!("pipeline {pipeline_id} is being driven already");
            return Err(Error::new(ErrorKind::Exists, message));
        }
        Ok(Driven { shared: self.clone(), pipeline_id: pipeline_id.to_owned() })
    }
}

/// Keeps a pipeline from being driven twice.
struct Driven {
    shared: Arc<Shared>,
    pipeline_id: String,
}

impl Drop for Driven {
    fn drop(&mut self) {
        let mut driven = self.shared.driven.lock().unwrap_or_else(PoisonError::into_inner);
        driven.remove(&self.pipeline_id);
    }
}
