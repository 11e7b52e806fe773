//! Where fragments are gathered until they are flushed to the consumer.

use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::activity::Activity;
use super::capture::FlushPolicy;
use super::fragment::{Fragment, LogStream};
use super::source::Source;

/// The fragments since the last flush, in the order their bytes were read.
#[derive(Debug)]
pub(super) struct Sink {
    policy: FlushPolicy,
    activity: Activity,
    out: mpsc::Sender<Vec<Fragment>>,
    pending: Vec<Fragment>,
    pending_bytes: usize,
    offsets: [u64; 3],
}

impl Sink {
    pub(super) fn new(
        policy: FlushPolicy,
        activity: Activity,
        out: mpsc::Sender<Vec<Fragment>>,
    ) -> Self {
        Self { policy, activity, out, pending: Vec::new(), pending_bytes: 0, offsets: [0; 3] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.room() == 0 || self.pending.len() >= self.policy.max_fragments.max(1)
    }

    /// How long bytes may wait in it.
    pub(super) fn interval(&self) -> Duration {
        self.policy.interval
    }

    /// How many bytes fit before it is full.
    pub(super) fn room(&self) -> usize {
        self.policy.max_bytes.max(1).saturating_sub(self.pending_bytes)
    }

    /// Takes what `source` has read. An end or an error closes the source; an error is told in the
    /// output itself, because it is a gap in it.
    pub(super) fn take<R>(&mut self, source: &mut Source<R>, read: io::Result<usize>)
    where
        R: AsyncRead + AsFd + Unpin,
    {
        match read {
            Ok(0) => source.close(),
            Ok(len) => {
                self.activity.touch();
                self.push(source.stream, source.bytes(len));
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => {
                source.close();
                self.note(&format!("reading {} failed: {cause}", source.stream));
            }
        }
    }

    /// Says something about the capture in the output itself.
    pub(super) fn note(&mut self, text: &str) {
        self.push(LogStream::System, format!("{text}\n").as_bytes());
    }

    fn push(&mut self, stream: LogStream, bytes: &[u8]) {
        let [stdout, stderr, system] = &mut self.offsets;
        let offset = match stream {
            LogStream::Stdout => stdout,
            LogStream::Stderr => stderr,
            LogStream::System => system,
        };
        match self.pending.last_mut() {
            Some(last) if last.stream == stream => last.extend(bytes),
            _ => {
                let mut fragment = Fragment::at(stream, *offset);
                fragment.extend(bytes);
                self.pending.push(fragment);
            }
        }
        *offset += bytes.len() as u64;
        self.pending_bytes += bytes.len();
    }

    /// Hands over what was gathered, waiting for the consumer; false if there is none any more.
    pub(super) async fn flush(&mut self) -> bool {
        if self.pending.is_empty() {
            return true;
        }
        self.pending_bytes = 0;
        match self.out.try_send(mem::take(&mut self.pending)) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(batch)) => {
                self.activity.hold();
                let sent = self.out.send(batch).await;
                self.activity.touch();
                sent.is_ok()
            }
        }
    }

    /// Resolves when nobody will consume any more.
    pub(super) async fn abandoned(&self) {
        self.out.closed().await;
    }
}
