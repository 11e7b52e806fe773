//! Reading what a task writes, byte for byte, without ever holding much of it.
//!
//! A task of its own reads both streams and hands fragments over a bounded channel. When the
//! consumer is slow the channel fills, reading stops, the pipes fill, and the task blocks in its
//! next write: nothing is lost and memory stays bounded. Order between the two streams is the order
//! of reading; order within one stream is exact.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use outlast_core::Clock;
use tokio::sync::{mpsc, watch};

use super::activity::Activity;
use super::fragment::{Fragment, LogStream};
use super::gate::Pipes;
use super::reader::Reader;
use super::sink::Sink;
use super::source::Source;

/// How many flushes may wait for the consumer.
const WAITING_FLUSHES: usize = 4;

/// When gathered output is handed over: at whichever bound is met first, and at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushPolicy {
    /// So many bytes have come. No flush holds more, but for a note of the capture itself.
    pub max_bytes: usize,
    /// So many fragments have come: a new one begins whenever the stream changes.
    pub max_fragments: usize,
    /// So much time has passed since the first byte.
    pub interval: Duration,
}

/// 64 KiB, 64 fragments, 200 ms.
impl Default for FlushPolicy {
    fn default() -> Self {
        Self { max_bytes: 64 * 1024, max_fragments: 64, interval: Duration::from_millis(200) }
    }
}

/// The capture of one task's output, as seen by whoever watches over the task.
///
/// Dropping it changes nothing: reading goes on until both streams end.
#[derive(Debug)]
pub struct Capture {
    activity: Activity,
    cut: watch::Sender<bool>,
}

impl Capture {
    /// Begins to read, within a tokio runtime. The fragments must be consumed.
    ///
    /// At most six times `max_bytes` are held at any time: four flushes that wait, one that is
    /// offered, and one with the consumer.
    pub fn start(pipes: Pipes, policy: FlushPolicy, clock: Arc<dyn Clock>) -> (Self, Fragments) {
        let (out, flushed) = mpsc::channel(WAITING_FLUSHES);
        let (cut, when_cut) = watch::channel(false);
        let activity = Activity::new(clock);
        let reader = Reader {
            stdout: Source::new(LogStream::Stdout, pipes.stdout),
            stderr: Source::new(LogStream::Stderr, pipes.stderr),
            sink: Sink::new(policy, activity.clone(), out),
            cut: when_cut,
        };
        tokio::spawn(reader.run());
        (Self { activity, cut }, Fragments { flushed })
    }

    /// When output last arrived.
    pub fn activity(&self) -> Activity {
        self.activity.clone()
    }

    /// Resolves when both streams have ended and the last fragment is handed over. Cancel safe.
    pub async fn ended(&self) {
        self.cut.closed().await;
    }

    /// Ends the capture although somebody may still hold a stream open. What lies in the pipes now
    /// is still delivered, so nothing is lost that was written by a process which has exited.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }
}

/// The fragments of one task's output, in order.
///
/// Dropping it ends the capture and closes the pipes: the task is killed by SIGPIPE, or sees its
/// next write fail.
#[derive(Debug)]
pub struct Fragments {
    flushed: mpsc::Receiver<Vec<Fragment>>,
}

impl Fragments {
    /// The fragments of the next flush, at least one; `None` at the end. Cancel safe.
    pub async fn next(&mut self) -> Option<Vec<Fragment>> {
        self.flushed.recv().await
    }
}

impl Stream for Fragments {
    type Item = Vec<Fragment>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.flushed.poll_recv(context)
    }
}
