//! What is left of a task whose owner was killed.
//!
//! Nothing here is signalled by number. A process is opened first (a pidfd), then checked to belong
//! to the task, then signalled through what was opened, so that a pid which was recycled in between
//! names nobody. A process belongs to the task if it
//!
//! - is in the leader's process group while the leader, by its whole identity, still holds that
//!   group's number, as a zombie too; or
//! - was started with the task's marker in its environment, wherever it has gone since; or
//! - is a child of a process that belongs to the task and still runs.
//!
//! So a process is missed only if it replaced its environment *and* its parent is gone *and* it
//! left the group or was found only after the leader had gone.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::time::Duration;

use outlast_core::{Error, ProcessIdentity, Result};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::identity;
use super::leader::{FIRST_PAUSE, KILL_LIMIT, LAST_PAUSE, refusal, unkillable};
use super::proc::{self, Stat};
use super::spec;

/// How often all processes are looked at before any is signalled, at most. A child is listed after
/// its parent and found in the same look, unless the numbers have begun anew in between.
const PASSES: u32 = 4;

/// Processes of a task that run although their owner is gone.
#[derive(Debug)]
pub struct Survivor {
    task: Family,
}

/// What it took to stop a survivor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// The processes that were asked to end, in the order of their pids.
    pub asked: Vec<u32>,
    /// Those of them that had to be killed.
    pub killed: Vec<u32>,
}

impl Survivor {
    /// Looks for processes of the task that was recorded with `leader`; `None` if nothing runs.
    ///
    /// Nothing survives a restart of the machine. A leader that was recorded in another pid
    /// namespace cannot be judged ([`Life::Unknown`](super::Life::Unknown)); then only processes
    /// with the task's marker are found. Look before the task is run again under the same id.
    /// Cancel safe.
    pub async fn find(leader: &ProcessIdentity, task_id: &str) -> Result<Option<Self>> {
        if !identity::is_of_this_boot(leader)? {
            return Ok(None);
        }
        let task = Family {
            leader: identity::is_of_this_namespace(leader)?.then(|| leader.clone()),
            marker: spec::marker(task_id)?,
            members: BTreeMap::new(),
            quiet: 0,
        };
        let mut task = task.look(None).await?;
        if task.quiet > 0 {
            task = task.look(None).await?;
        }
        Ok((!task.is_over()).then_some(Self { task }))
    }

    /// The processes that were found.
    pub fn pids(&self) -> Vec<u32> {
        self.task.running()
    }

    /// Asks them to end (SIGTERM), kills them after `grace` (SIGKILL), and returns when none is
    /// left. Processes they spawn meanwhile are found too.
    ///
    /// `Busy`, naming them, if processes remain seconds after being killed; `Unsupported`, naming
    /// it, if one belongs to another user. If the future is dropped, they may have been asked only.
    pub async fn stop(self, grace: Duration) -> Result<Stopped> {
        let task = self.task.press(Signal::TERM, grace).await?;
        let killed = task.running();
        let task = if task.is_over() { task } else { task.press(Signal::KILL, KILL_LIMIT).await? };
        task.remainder()?;
        Ok(Stopped { asked: task.members.into_keys().collect(), killed })
    }
}

/// Every process known to belong to one task.
#[derive(Debug)]
struct Family {
    /// `None` if its pid means nothing here.
    leader: Option<ProcessIdentity>,
    marker: Vec<u8>,
    members: BTreeMap<u32, Member>,
    /// How many looks in a row have ended with nothing running.
    quiet: u32,
}

impl Family {
    /// Signals all, also those that appear meanwhile, until none is left or `limit` has passed.
    async fn press(mut self, signal: Signal, limit: Duration) -> Result<Self> {
        let mut over = pin!(sleep(limit));
        let mut pause = FIRST_PAUSE;
        loop {
            self = self.look(Some(signal)).await?;
            if self.is_over() {
                return Ok(self);
            }
            tokio::select! {
                biased;
                () = &mut over => return Ok(self),
                () = sleep(pause) => pause = LAST_PAUSE.min(pause * 2),
            }
        }
    }

    /// Looks at every process of the system once. Off the runtime's threads, because reading the
    /// environment of a process that is stuck in the kernel may block.
    async fn look(mut self, signal: Option<Signal>) -> Result<Self> {
        let looked = spawn_blocking(move || {
            self.scan(signal)?;
            Ok(self)
        });
        looked.await.map_err(|cause| {
            Error::internal("the look at the processes was broken off").with_source(cause)
        })?
    }

    fn scan(&mut self, signal: Option<Signal>) -> Result<()> {
        for _ in 0..PASSES {
            if !self.gather()? {
                break;
            }
        }
        if let Some(signal) = signal {
            self.members.values_mut().for_each(|member| member.send(signal));
        }
        self.quiet = if self.running().is_empty() { self.quiet + 1 } else { 0 };
        Ok(())
    }

    /// Takes in the processes that are not known yet; whether there were any.
    fn gather(&mut self) -> Result<bool> {
        let mut found = false;
        for pid in proc::pids()? {
            if !self.members.get(&pid).is_some_and(Member::is_running)
                && let Some(member) = self.open(pid)?
            {
                self.members.insert(pid, member);
                found = true;
            }
        }
        Ok(found)
    }

    /// The process, held fast, if it belongs to the task.
    fn open(&self, pid: u32) -> Result<Option<Member>> {
        if self.belonging(pid)?.is_none() {
            return Ok(None);
        }
        let Some(raw) = proc::raw(pid) else { return Ok(None) };
        let pidfd = match pidfd_open(raw, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(Errno::SRCH) => return Ok(None),
            Err(errno) => return Err(refusal(pid, "cannot be opened", errno)),
        };
        // Again, now that the pid cannot come to mean another process unnoticed.
        let stat = self.belonging(pid)?;
        Ok(stat.map(|stat| Member {
            pid,
            start_ticks: stat.start_ticks,
            pidfd,
            sent: None,
            refused: None,
        }))
    }

    /// What `/proc` says about a live process of the task; `None` for any other.
    fn belonging(&self, pid: u32) -> Result<Option<Stat>> {
        if pid == std::process::id() {
            return Ok(None);
        }
        let stat = Stat::visible(pid)?.filter(|stat| stat.is_live() && !stat.is_kernel);
        let Some(stat) = stat.filter(|stat| !self.is_younger_than(stat)) else { return Ok(None) };
        // A parent that runs now, by its whole identity, was the parent when that was read.
        let has_parent = self.members.get(&stat.parent).is_some_and(Member::is_running);
        let is_ours = has_parent || self.leads(stat.group)? || proc::carries(pid, &self.marker);
        Ok(is_ours.then_some(stat))
    }

    /// Whether the task began later than a process did, which then is none of it. Spares a look at
    /// the environment of most.
    fn is_younger_than(&self, stat: &Stat) -> bool {
        self.leader.as_ref().is_some_and(|leader| stat.start_ticks < leader.start_ticks)
    }

    /// Whether the task's leader still holds the number of this group.
    fn leads(&self, group: u32) -> Result<bool> {
        match &self.leader {
            Some(leader) if leader.pid == group => Ok(identity::holder(leader)?.is_some()),
            _ => Ok(false),
        }
    }

    fn running(&self) -> Vec<u32> {
        let running = self.members.values().filter(|member| member.is_running());
        running.map(|member| member.pid).collect()
    }

    /// An error if anything still runs: why it could not be signalled, or that it does not die.
    fn remainder(&self) -> Result<()> {
        let running = self.running();
        for member in running.iter().filter_map(|pid| self.members.get(pid)) {
            if let Some(errno) = member.refused {
                return Err(refusal(member.pid, "cannot be signalled", errno));
            }
        }
        if running.is_empty() { Ok(()) } else { Err(unkillable(&running)) }
    }

    /// One quiet look is not enough: a process may be born while it is under way, of a parent that
    /// ends before it is looked at.
    fn is_over(&self) -> bool {
        self.quiet > 1
    }
}

/// One process, which cannot be mistaken for another any more.
#[derive(Debug)]
struct Member {
    pid: u32,
    start_ticks: u64,
    pidfd: OwnedFd,
    sent: Option<Signal>,
    /// Why the last signal was not delivered.
    refused: Option<Errno>,
}

impl Member {
    /// What cannot be read is taken to run, so that it is never reported as gone.
    fn is_running(&self) -> bool {
        match Stat::of(self.pid) {
            Ok(stat) => stat.is_some_and(|s| s.start_ticks == self.start_ticks && s.is_live()),
            Err(_) => true,
        }
    }

    /// Sends each signal once. A refusal is kept: others must be signalled all the same.
    fn send(&mut self, signal: Signal) {
        if self.sent == Some(signal) {
            return;
        }
        self.sent = Some(signal);
        self.deliver(signal);
        if signal == Signal::TERM {
            // A stopped process would not see the request.
            self.deliver(Signal::CONT);
        }
    }

    fn deliver(&mut self, signal: Signal) {
        self.refused = match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => None,
            Err(errno) => Some(errno),
        };
    }
}
