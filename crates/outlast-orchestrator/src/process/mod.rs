//! One operating system process for one task, from before it runs until nothing of it is left.
//!
//! It knows no store. What makes a task durable is the order its owner follows, and this module
//! is shaped so that the order is possible:
//!
//! 1. [`Gated::spawn`] starts the process behind a gate: it has a pid, but runs nothing yet.
//! 2. The owner records [`Gated::identity`]. If it dies now, the child exits without having run.
//! 3. [`Gated::release`] lets the command run; [`Capture`] reads what it writes.
//! 4. [`Running::finish`] waits for the end. The task is over when its *leader*, the process that
//!    was spawned, has exited; what it left in its process group is killed, unless the [`Spec`]
//!    says otherwise.
//! 5. After a crash of the owner, [`Survivor::find`] tells from the recorded identity whether
//!    anything is still there, and [`Survivor::stop`] ends it.
//!
//! Three things may surprise. A pid alone is never trusted: it counts only together with the
//! start time, the boot and the pid namespace, so a recycled pid is never signalled. A leader
//! stays a zombie until its [`Running`] is dropped, on purpose: while it does, its pid cannot mean
//! another process group. And the gate is a small `sh` script, because nothing else can hold a
//! child back between fork and exec without unsafe code; it is gone once the command runs.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use outlast_core::{CommandLine, SystemClock};
//! use outlast_orchestrator::process::{Capture, FlushPolicy, Gated, Spec};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> outlast_core::Result<()> {
//! let spec = Spec::new("task-1", CommandLine::Shell("echo hello".into()));
//! let gated = Gated::spawn(&spec)?;
//! // ... record gated.identity() durably ...
//! let (running, pipes) = gated.release()?;
//! let clock = Arc::new(SystemClock::default());
//! let (capture, mut output) = Capture::start(pipes, FlushPolicy::default(), clock);
//! let read = async {
//!     let mut text = Vec::new();
//!     while let Some(fragments) = output.next().await {
//!         fragments.iter().for_each(|fragment| text.extend_from_slice(&fragment.data));
//!     }
//!     text
//! };
//! let (exit, text) = tokio::join!(running.finish(&capture, Duration::from_secs(2)), read);
//! assert_eq!(exit?.code, Some(0));
//! assert_eq!(text, b"hello\n");
//! # Ok(())
//! # }
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!(
    "running processes needs Linux (process groups, pidfd and /proc): build outlast-orchestrator \
     without the features \"tasks\", \"fleet\" and \"recovery\""
);

mod activity;
mod capture;
mod fragment;
mod gate;
mod identity;
mod leader;
mod proc;
mod program;
mod reader;
mod running;
mod sink;
mod source;
mod spec;
mod survivor;

pub use activity::Activity;
pub use capture::{Capture, FlushPolicy, Fragments};
pub use fragment::{Fragment, LogStream};
pub use gate::{Gated, Pipes};
pub use identity::{Life, identify, identify_self, life};
pub use leader::Exit;
pub use running::Running;
pub use spec::{Spec, Stragglers};
pub use survivor::{Stopped, Survivor};
