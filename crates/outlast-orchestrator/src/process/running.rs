//! A process that runs its command.

use std::time::Duration;

use outlast_core::{ProcessIdentity, Result};
use tokio::time::timeout;

use super::capture::Capture;
use super::leader::{Exit, Leader};
use super::spec::Stragglers;

/// A task's process while it runs, and until its owner has done with it.
///
/// Every method takes `&self`, so one part of a program can wait while another interrupts, and
/// every one is cancel safe: dropping a future loses nothing and the same call can be made again.
///
/// Dropping it kills the whole process group if the leader has not exited, and also what the
/// leader left behind unless the spec leaves stragglers alone.
#[derive(Debug)]
pub struct Running {
    leader: Leader,
}

impl Running {
    pub(super) fn new(leader: Leader) -> Self {
        Self { leader }
    }

    /// Who it is.
    pub fn identity(&self) -> &ProcessIdentity {
        self.leader.identity()
    }

    /// Waits for the leader to exit. Others of its group may still run, and its output may not
    /// have been read to the end.
    ///
    /// `Internal` if this program ignores SIGCHLD or waits for children it did not spawn.
    pub async fn wait(&self) -> Result<Exit> {
        self.leader.exit().await
    }

    /// The processes of the group that still run, the leader included.
    pub fn members(&self) -> Result<Vec<u32>> {
        self.leader.members()
    }

    /// Asks the whole group to end (SIGTERM), and does not wait. Errors as for
    /// [`Running::interrupt`], without `Busy`.
    pub fn ask(&self) -> Result<()> {
        self.leader.ask()
    }

    /// Asks the whole group to end (SIGTERM), waits up to `grace` until nothing of it runs, and
    /// then kills it (SIGKILL).
    ///
    /// The output must be read meanwhile, or a process that writes while it ends may block. If the
    /// future is dropped the group has been asked but may never be killed. `Busy`, naming them, if
    /// processes remain seconds after being killed; `Unsupported` if they belong to another user.
    pub async fn interrupt(&self, grace: Duration) -> Result<Exit> {
        self.leader.stop(grace).await?;
        self.leader.exit().await
    }

    /// Waits for the leader to exit and ends the capture of its output, also if a process that it
    /// left behind holds the output open.
    ///
    /// After the leader's exit the streams have up to `drain` to end by themselves, as a filter at
    /// the end of a pipeline does. Then what remains of the group is killed, unless the spec leaves
    /// it alone. Last, [`Capture::cut`] makes sure that the capture ends: whatever the leader wrote
    /// is delivered, whatever a process outside the group writes later is not.
    ///
    /// The fragments must be consumed meanwhile. Errors as for [`Running::interrupt`]; the capture
    /// is cut also then, and [`Running::wait`] still tells how the leader ended.
    pub async fn finish(&self, capture: &Capture, drain: Duration) -> Result<Exit> {
        let exit = self.leader.exit().await?;
        // Late output is not an error: the cut below bounds it.
        let _ = timeout(drain, capture.ended()).await;
        let swept = match self.leader.stragglers() {
            Stragglers::Kill => self.leader.kill().await,
            Stragglers::Leave => Ok(()),
        };
        capture.cut();
        swept.map(|()| exit)
    }
}
