//! The loop that reads both streams.

use std::future;
use std::os::fd::AsFd;
use std::pin::pin;

use tokio::io::AsyncRead;
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::watch;
use tokio::time::sleep;

use super::sink::Sink;
use super::source::Source;

/// Two sources, one sink, and the sign to stop.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) stdout: Source<ChildStdout>,
    pub(super) stderr: Source<ChildStderr>,
    pub(super) sink: Sink,
    pub(super) cut: watch::Receiver<bool>,
}

/// Why gathering stopped.
enum Stop {
    /// What was gathered is to be flushed.
    Due,
    /// Both streams ended.
    Ended,
    /// Nobody waits for the streams to end.
    Cut,
    /// Nobody wants the output.
    Abandoned,
}

impl Reader {
    pub(super) async fn run(mut self) {
        loop {
            match self.gather().await {
                Stop::Due => {
                    if !self.sink.flush().await {
                        return;
                    }
                }
                Stop::Ended => break,
                Stop::Cut => {
                    take_rest(&mut self.stdout, &mut self.sink).await;
                    take_rest(&mut self.stderr, &mut self.sink).await;
                    break;
                }
                Stop::Abandoned => return,
            }
        }
        self.sink.flush().await;
    }

    /// Reads until there is a reason to stop.
    async fn gather(&mut self) -> Stop {
        let interval = self.sink.interval();
        let mut due = pin!(sleep(interval));
        while self.stdout.is_open() || self.stderr.is_open() {
            let first = self.sink.is_empty();
            let room = self.sink.room();
            tokio::select! {
                read = self.stdout.read(room), if self.stdout.is_open() => {
                    self.sink.take(&mut self.stdout, read);
                }
                read = self.stderr.read(room), if self.stderr.is_open() => {
                    self.sink.take(&mut self.stderr, read);
                }
                () = &mut due, if !first => return Stop::Due,
                () = raised(&mut self.cut) => return Stop::Cut,
                () = self.sink.abandoned() => return Stop::Abandoned,
            }
            if first {
                due.set(sleep(interval));
            }
            if self.sink.is_full() {
                return Stop::Due;
            }
        }
        Stop::Ended
    }
}

/// Takes what is in the pipe now, and hardly more than it can hold: a process that outlived the
/// task may go on filling it. The one byte more is what tells the end of a pipe that was full.
async fn take_rest<R: AsyncRead + AsFd + Unpin>(source: &mut Source<R>, sink: &mut Sink) {
    let mut left = source.capacity() + 1;
    while left > 0 {
        if sink.is_full() && !sink.flush().await {
            return;
        }
        let Some(read) = source.read_now(sink.room().min(left)) else { break };
        left -= read.as_ref().map_or(0, |len| *len);
        sink.take(source, read);
    }
    if source.is_open() {
        source.close();
        sink.note(&format!(
            "{} was still held open after the task ended: what is written to it later is lost",
            source.stream
        ));
    }
}

/// Resolves when the flag is raised, which never happens once nobody can raise it.
async fn raised(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|raised| *raised).await.is_err() {
        future::pending::<()>().await;
    }
}
