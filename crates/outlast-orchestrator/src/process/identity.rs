//! Telling whether a recorded process still runs.
//!
//! A [`ProcessIdentity`] names one process for ever: its pid, when it started, in which run of the
//! kernel, and in which pid namespace. Any of these alone may come to mean another process.

use outlast_core::{Error, ErrorKind, ProcessIdentity, Result};

use super::proc::{self, Stat};

/// Whether a process still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It can still run code.
    Alive,
    /// It has ended. A zombie counts as dead.
    Dead,
    /// It cannot be judged from here: it was recorded in another pid namespace of the same boot,
    /// or `/proc` cannot be read.
    Unknown,
}

/// Who this program is, for others to find out whether it still runs.
///
/// `Unavailable` if `/proc` cannot be read.
///
/// ```
/// use outlast_core::ProcessIdentity;
/// use outlast_orchestrator::process::{Life, identify_self, life};
///
/// let mine = identify_self()?;
/// assert_eq!(life(&mine), Life::Alive);
/// let recycled = ProcessIdentity { start_ticks: mine.start_ticks + 1, ..mine };
/// assert_eq!(life(&recycled), Life::Dead);
/// # Ok::<(), outlast_core::Error>(())
/// ```
pub fn identify_self() -> Result<ProcessIdentity> {
    identify(std::process::id())
}

/// Who holds `pid` now. `NotFound` if nobody does, `Unavailable` if `/proc` cannot be read.
pub fn identify(pid: u32) -> Result<ProcessIdentity> {
    let stat = Stat::of(pid)?
        .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no process has pid {pid}")))?;
    Ok(ProcessIdentity {
        pid,
        start_ticks: stat.start_ticks,
        boot_id: proc::boot_id()?,
        pid_namespace: proc::pid_namespace()?,
    })
}

/// Whether the process still runs.
pub fn life(identity: &ProcessIdentity) -> Life {
    judge(identity).unwrap_or(Life::Unknown)
}

fn judge(identity: &ProcessIdentity) -> Result<Life> {
    if !is_of_this_boot(identity)? {
        return Ok(Life::Dead);
    }
    if !is_of_this_namespace(identity)? {
        return Ok(Life::Unknown);
    }
    Ok(match holder(identity)? {
        Some(stat) if stat.is_live() => Life::Alive,
        _ => Life::Dead,
    })
}

/// The process itself, which may be a zombie; `None` once its pid is free or somebody else's.
pub(super) fn holder(identity: &ProcessIdentity) -> Result<Option<Stat>> {
    Ok(Stat::of(identity.pid)?.filter(|stat| stat.start_ticks == identity.start_ticks))
}

/// Whether the machine has not been restarted since.
pub(super) fn is_of_this_boot(identity: &ProcessIdentity) -> Result<bool> {
    Ok(identity.boot_id == proc::boot_id()?)
}

/// Whether its pid means here what it meant where it was recorded.
pub(super) fn is_of_this_namespace(identity: &ProcessIdentity) -> Result<bool> {
    Ok(identity.pid_namespace == proc::pid_namespace()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: Life, change: impl FnOnce(&mut ProcessIdentity)) {
        let mut identity = identify_self().unwrap();
        change(&mut identity);
        assert_eq!(life(&identity), expected, "{identity:?}");
    }

    #[test]
    fn every_part_of_the_identity_counts() {
        check(Life::Alive, |_| ());
        check(Life::Dead, |identity| identity.start_ticks -= 1);
        check(Life::Dead, |identity| identity.boot_id = "another boot".into());
        check(Life::Unknown, |identity| identity.pid_namespace = "pid:[1]".into());
    }

    #[test]
    fn a_pid_that_nobody_can_have_is_dead() {
        for pid in [0, u32::MAX] {
            check(Life::Dead, |identity| identity.pid = pid);
            assert_eq!(identify(pid).unwrap_err().kind(), ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_zombie_is_dead_although_its_pid_is_taken() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let identity = identify(child.id()).unwrap();
        while holder(&identity).unwrap().unwrap().state != 'Z' {
            std::thread::yield_now();
        }
        assert_eq!(life(&identity), Life::Dead);
        child.wait().unwrap();
        assert_eq!(life(&identity), Life::Dead);
    }
}
