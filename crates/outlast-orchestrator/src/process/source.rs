//! One of the two pipes that are read.

use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::pipe::fcntl_getpipe_size;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::fragment::LogStream;

/// How much is read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// What a pipe may hold if it does not say: the most an ordinary user can ask for.
const PIPE_BYTES: usize = 1024 * 1024;

/// A pipe until it ends, and the bytes last read from it.
#[derive(Debug)]
pub(super) struct Source<R> {
    pub(super) stream: LogStream,
    pipe: Option<R>,
    chunk: Box<[u8]>,
}

impl<R: AsyncRead + AsFd + Unpin> Source<R> {
    pub(super) fn new(stream: LogStream, pipe: R) -> Self {
        Self { stream, pipe: Some(pipe), chunk: vec![0; CHUNK_BYTES].into() }
    }

    pub(super) fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Gives up the pipe. Whoever still writes to it is told so by the system.
    pub(super) fn close(&mut self) {
        self.pipe = None;
    }

    /// Reads at most `room` bytes, waiting for the first; zero at the end. Cancel safe.
    pub(super) async fn read(&mut self, room: usize) -> io::Result<usize> {
        let Some(pipe) = &mut self.pipe else { return Ok(0) };
        let chunk = self.chunk.get_mut(..room.min(CHUNK_BYTES)).unwrap_or_default();
        pipe.read(chunk).await
    }

    /// Reads at most `room` bytes that are there already; `None` if there are none at present.
    ///
    /// The system is asked directly: the runtime may not know yet what has arrived.
    pub(super) fn read_now(&mut self, room: usize) -> Option<io::Result<usize>> {
        let pipe = self.pipe.as_ref()?;
        let chunk = self.chunk.get_mut(..room.min(CHUNK_BYTES)).unwrap_or_default();
        match rustix::io::read(pipe.as_fd(), chunk) {
            Err(Errno::AGAIN) => None,
            read => Some(read.map_err(io::Error::from)),
        }
    }

    /// How many bytes can be waiting in the pipe.
    pub(super) fn capacity(&self) -> usize {
        let size = self.pipe.as_ref().map(|pipe| fcntl_getpipe_size(pipe.as_fd()));
        size.and_then(Result::ok).unwrap_or(PIPE_BYTES)
    }

    /// The first `len` bytes of what was last read.
    pub(super) fn bytes(&self, len: usize) -> &[u8] {
        self.chunk.get(..len).unwrap_or_default()
    }
}
