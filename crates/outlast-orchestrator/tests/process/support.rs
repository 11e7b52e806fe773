//! What every test here needs: unique tasks, their whole output, and waiting for a condition.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use outlast_core::{CommandLine, ProcessIdentity, SystemClock};
use outlast_orchestrator::process::{
    Capture, Exit, FlushPolicy, Fragments, Gated, Life, LogStream, Pipes, Running, Spec, identify,
    life,
};

/// How long anything here may take before it counts as stuck.
pub(crate) const STUCK: Duration = Duration::from_mins(1);

/// Enough for a drain that is expected to be cut short by the end of the streams.
pub(crate) const DRAIN: Duration = Duration::from_secs(30);

/// A task id no other test uses: survivors are found by it.
pub(crate) fn task_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn shell(line: &str) -> Spec {
    Spec::new(task_id(), CommandLine::Shell(line.into()))
}

pub(crate) fn direct(words: &[&str]) -> Spec {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    Spec::new(task_id(), CommandLine::Direct(words))
}

/// A released process whose output is being captured.
pub(crate) struct Started {
    pub(crate) running: Running,
    pub(crate) capture: Capture,
    pub(crate) output: Output,
}

/// Flushes soon, because tests wait for what tasks write.
pub(crate) fn start(spec: &Spec) -> Started {
    start_with(spec, FlushPolicy { interval: Duration::from_millis(5), ..FlushPolicy::default() })
}

pub(crate) fn start_with(spec: &Spec, policy: FlushPolicy) -> Started {
    release(Gated::spawn(spec).unwrap(), policy)
}

pub(crate) fn release(gated: Gated, policy: FlushPolicy) -> Started {
    let (running, pipes) = gated.release().unwrap();
    let (capture, output) = capture(pipes, policy);
    Started { running, capture, output }
}

pub(crate) fn capture(pipes: Pipes, policy: FlushPolicy) -> (Capture, Output) {
    let (capture, fragments) = Capture::start(pipes, policy, Arc::new(SystemClock::default()));
    (capture, Output { fragments, text: Text::default() })
}

/// The bytes of each stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) system: Vec<u8>,
}

impl Text {
    pub(crate) fn of(stdout: &str) -> Self {
        Self { stdout: stdout.into(), ..Self::default() }
    }

    /// What the capture itself had to say.
    pub(crate) fn note(&self) -> &str {
        std::str::from_utf8(&self.system).unwrap()
    }

    /// The pids printed on standard output, one a line.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let text = String::from_utf8_lossy(&self.stdout);
        text.lines().map(|line| line.trim().parse().unwrap()).collect()
    }
}

/// The fragments to come, and the text of those that came.
pub(crate) struct Output {
    pub(crate) fragments: Fragments,
    pub(crate) text: Text,
}

impl Output {
    /// Takes one flush; false at the end. Every fragment is checked to continue its stream and to
    /// count its lines.
    async fn advance(&mut self) -> bool {
        let Some(fragments) = within(self.fragments.next()).await else { return false };
        assert!(!fragments.is_empty());
        for fragment in fragments {
            let stream = match fragment.stream {
                LogStream::Stdout => &mut self.text.stdout,
                LogStream::Stderr => &mut self.text.stderr,
                LogStream::System => &mut self.text.system,
            };
            assert_eq!(fragment.byte_offset, stream.len() as u64);
            assert!(!fragment.data.is_empty());
            let lines = String::from_utf8_lossy(&fragment.data).matches('\n').count() as u64;
            assert_eq!(fragment.line_count, lines);
            stream.extend_from_slice(&fragment.data);
        }
        true
    }

    /// Reads until so many lines have come on standard output.
    pub(crate) async fn lines(&mut self, count: usize) -> &Text {
        while String::from_utf8_lossy(&self.text.stdout).matches('\n').count() < count {
            assert!(self.advance().await, "it ended after {:?}", self.text);
        }
        &self.text
    }

    /// Reads to the end.
    pub(crate) async fn rest(mut self) -> Text {
        while self.advance().await {}
        self.text
    }
}

impl Started {
    /// Runs to the end.
    pub(crate) async fn finish(self, drain: Duration) -> (Exit, Text) {
        let Self { running, capture, output } = self;
        let (exit, text) =
            within(async { tokio::join!(running.finish(&capture, drain), output.rest()) }).await;
        (exit.unwrap(), text)
    }
}

pub(crate) async fn run(spec: &Spec) -> (Exit, Text) {
    start(spec).finish(DRAIN).await
}

/// The future, which must not hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(STUCK, future).await.expect("this hangs")
}

/// Waits for a condition that nothing announces.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(STUCK, wait).await.is_ok(), "never: {what}");
}

pub(crate) fn identity(pid: u32) -> ProcessIdentity {
    identify(pid).unwrap()
}

pub(crate) fn is_alive(identity: &ProcessIdentity) -> bool {
    life(identity) == Life::Alive
}

pub(crate) fn kill(pid: u32) {
    signal(pid, rustix::process::Signal::KILL);
}

pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}
