//! A process that exists but has not begun.
//!
//! The child is a shell that reads one line from a pipe. Only this program holds the other end,
//! so if this program dies the shell sees the end of the pipe and exits. The line turns it into the
//! command: exec keeps the pid and the start time, so the identity recorded before is the
//! command's.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use outlast_core::{Error, ErrorKind, ProcessIdentity, Result};
use rustix::io::Errno;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::leader::Leader;
use super::program::{self, SHELL};
use super::running::Running;
use super::spec::Spec;

/// It exits with 125 unless told to go. The variable is unset again in case it was inherited, for
/// then it would be exported.
const GATE: &str = "\
    IFS= read -r OUTLAST_GATE && [ \"$OUTLAST_GATE\" = go ] || exit 125\n\
    unset OUTLAST_GATE\n\
    exec \"$@\" </dev/null";

/// What the task writes. Reading both is what keeps the task from blocking.
#[derive(Debug)]
pub struct Pipes {
    /// Its standard output.
    pub stdout: ChildStdout,
    /// Its standard error.
    pub stderr: ChildStderr,
}

/// A process in a group of its own that waits to be told to run its command.
///
/// Dropping it, or the death of this program, ends it unrun.
#[derive(Debug)]
pub struct Gated {
    leader: Leader,
    go: OwnedFd,
    pipes: Pipes,
}

impl Gated {
    /// Spawns the process, within a tokio runtime that has I/O and time enabled.
    ///
    /// The command is looked up first: a program or directory that does not exist or may not be
    /// used is `Invalid`, and so is a name or value the system cannot take. `TooLarge` if command
    /// and environment exceed what the system passes on, `Unavailable` if it has no process or file
    /// descriptor to spare.
    ///
    /// What only exec finds out, such as a script whose interpreter is missing, ends the task with
    /// code 126 or 127 and a line on its standard error.
    pub fn spawn(spec: &Spec) -> Result<Self> {
        let environment = spec.environment()?;
        let argv = program::resolve(spec)?;
        let mut command = Command::new(SHELL);
        command.arg("-c").arg(GATE).arg("outlast-gate").args(&argv).envs(environment);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        if let Some(cwd) = &spec.cwd {
            command.current_dir(cwd);
        }
        let mut child = command.spawn().map_err(|cause| spawn_failure(&spec.task_id, cause))?;
        let (go, pipes) = streams(&mut child)?;
        Ok(Self { leader: Leader::new(child, spec.stragglers)?, go, pipes })
    }

    /// Who it is, now and when it runs its command.
    pub fn identity(&self) -> &ProcessIdentity {
        self.leader.identity()
    }

    /// Lets it run its command, with nothing to read on its standard input.
    ///
    /// `Unavailable` if it was killed meanwhile; its command has then not run.
    pub fn release(self) -> Result<(Running, Pipes)> {
        rustix::io::write(&self.go, b"go\n").map_err(|errno| {
            let pid = self.leader.identity().pid;
            Error::unavailable(format!("process {pid} ended before its command could run"))
                .with_source(io::Error::from(errno))
        })?;
        Ok((Running::new(self.leader), self.pipes))
    }
}

fn streams(child: &mut Child) -> Result<(OwnedFd, Pipes)> {
    let missing = || Error::internal("a spawned process has no pipes");
    let stdin = child.stdin.take().ok_or_else(missing)?;
    let go = stdin
        .into_owned_fd()
        .map_err(|cause| Error::internal("the gate's pipe was lost").with_source(cause))?;
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    Ok((go, Pipes { stdout, stderr }))
}

fn spawn_failure(task_id: &str, cause: io::Error) -> Error {
    let kind = match Errno::from_io_error(&cause) {
        Some(Errno::TOOBIG) => ErrorKind::TooLarge,
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => ErrorKind::Unavailable,
        Some(Errno::NOENT | Errno::ACCESS | Errno::NOTDIR) => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, format!("task {task_id} cannot be spawned")).with_source(cause)
}
