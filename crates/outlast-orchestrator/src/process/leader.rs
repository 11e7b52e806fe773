//! The process that was spawned for a task, held so that its pid cannot mean anything else.
//!
//! It is looked at, never reaped, before this value is dropped. A zombie keeps its pid and its
//! process group's number, so a signal to the group always reaches the group that was meant.

use std::io;
use std::time::Duration;

use outlast_core::{Error, ErrorKind, ProcessIdentity, Result};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

use super::identity;
use super::proc;
use super::spec::Stragglers;

/// How long a killed process may take to vanish before that is an error.
pub(super) const KILL_LIMIT: Duration = Duration::from_secs(5);

/// The first pause between two looks at a group, doubled up to [`LAST_PAUSE`].
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(2);
pub(super) const LAST_PAUSE: Duration = Duration::from_millis(50);

/// How often to look for an exit that was not announced, as happens if another part of the program
/// takes the SIGCHLD handler away.
const UNANNOUNCED: Duration = Duration::from_secs(1);

/// How a process ended: with a code, or by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// What it exited with.
    pub code: Option<i32>,
    /// The number of the signal that ended it.
    pub signal: Option<i32>,
}

impl Exit {
    /// Whether it exited with zero.
    pub fn is_success(self) -> bool {
        self.code == Some(0)
    }
}

/// A spawned process and its group. Dropping it kills the group unless that may run on.
#[derive(Debug)]
pub(super) struct Leader {
    /// Reaped when dropped.
    _child: Child,
    pid: Pid,
    identity: ProcessIdentity,
    stragglers: Stragglers,
}

impl Leader {
    /// Takes over a child that leads its own group and was not waited for.
    pub(super) fn new(child: Child, stragglers: Stragglers) -> Result<Self> {
        let pid = child.id().and_then(proc::raw);
        let pid = pid.ok_or_else(|| Error::internal("the child was already waited for"))?;
        let identity = identity::identify(pid.as_raw_nonzero().get().cast_unsigned())?;
        Ok(Self { _child: child, pid, identity, stragglers })
    }

    pub(super) fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    pub(super) fn stragglers(&self) -> Stragglers {
        self.stragglers
    }

    /// Waits for its end. Cancel safe, and may be asked again.
    pub(super) async fn exit(&self) -> Result<Exit> {
        // Listening begins before the first look, so no exit falls in between.
        let mut announced = signal(SignalKind::child()).map_err(|cause| {
            Error::unavailable("the runtime cannot watch for SIGCHLD").with_source(cause)
        })?;
        loop {
            if let Some(exit) = self.exited()? {
                return Ok(exit);
            }
            // Late or not, the next look tells.
            let _ = timeout(UNANNOUNCED, announced.recv()).await;
        }
    }

    /// How it ended, if it has.
    fn exited(&self) -> Result<Option<Exit>> {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.pid), look).map_err(|errno| {
            let pid = self.identity.pid;
            Error::internal(format!(
                "the exit of process {pid} was taken by somebody else: do not ignore SIGCHLD and \
                 do not wait for children that are not yours"
            ))
            .with_source(io::Error::from(errno))
        })?;
        Ok(status
            .map(|status| Exit { code: status.exit_status(), signal: status.terminating_signal() }))
    }

    /// The processes of its group that still run, itself included.
    pub(super) fn members(&self) -> Result<Vec<u32>> {
        proc::members(self.identity.pid)
    }

    /// Signals the whole group.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        // Fails if it was reaped behind our back: the number may then be somebody else's.
        self.exited()?;
        match kill_process_group(self.pid, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => {
                Err(refusal(self.identity.pid, "and its group cannot be signalled", errno))
            }
        }
    }

    /// Asks the group to end.
    pub(super) fn ask(&self) -> Result<()> {
        self.signal(Signal::TERM)?;
        // A stopped process would not see the request.
        self.signal(Signal::CONT)
    }

    /// Asks the group to end, and kills what is left after `grace`.
    pub(super) async fn stop(&self, grace: Duration) -> Result<()> {
        self.ask()?;
        if let Ok(gone) = timeout(grace, self.gone()).await {
            gone?;
        }
        // In any case: a process may have been born unnoticed of a parent that has ended.
        self.kill().await
    }

    /// Kills the group and waits until nothing of it runs.
    pub(super) async fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL)?;
        match timeout(KILL_LIMIT, self.gone()).await {
            Ok(gone) => gone,
            Err(_) => Err(unkillable(&self.members()?)),
        }
    }

    /// Resolves when nothing of the group runs.
    async fn gone(&self) -> Result<()> {
        self.exit().await?;
        let mut pause = FIRST_PAUSE;
        while !self.members()?.is_empty() {
            sleep(pause).await;
            pause = LAST_PAUSE.min(pause * 2);
        }
        Ok(())
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        let over = match self.exited() {
            Ok(exit) => exit.is_some() && self.stragglers == Stragglers::Leave,
            // The pid may be somebody else's by now.
            Err(_) => true,
        };
        if !over {
            // Nobody is left to be told, and whoever waits for the processes sees them.
            let _ = self.signal(Signal::KILL);
        }
    }
}

/// The error for processes that live on after SIGKILL, as those stuck in the kernel do.
pub(super) fn unkillable(pids: &[u32]) -> Error {
    let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
    Error::busy(format!(
        "still running {} s after SIGKILL: process {}",
        KILL_LIMIT.as_secs(),
        pids.join(", ")
    ))
}

/// The error for a system call that was refused for one process.
pub(super) fn refusal(pid: u32, what: &str, errno: Errno) -> Error {
    let kind = match errno {
        Errno::PERM | Errno::NOSYS => ErrorKind::Unsupported,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, format!("process {pid} {what}")).with_source(io::Error::from(errno))
}
