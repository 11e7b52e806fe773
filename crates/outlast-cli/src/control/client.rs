//! Asking the process that has the kinds in its memory.

use std::path::Path;
use std::time::Duration;

use outlast::{Error, Result};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::answer::Listener;
use super::message::{Line, MOST_ANSWER, Order, Request, error};
use super::socket::connect;

/// How long the other side may be silent. It says often that it still works.
const SILENCE: Duration = Duration::from_secs(30);

/// What came of asking.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Somebody was there and did it.
    Answered(Value),
    /// Nobody listens there.
    Nobody,
}

/// Has an order carried out by whoever listens at a socket.
///
/// Errors are those of the other side; `Unavailable` and `Indeterminate` if it does not answer.
pub(crate) async fn ask(
    path: &Path,
    database: Option<String>,
    order: &Order,
    told: Listener<'_>,
) -> Result<Asked> {
    let Some(mut stream) = connect(path).await? else { return Ok(Asked::Nobody) };
    let request = Request { database, order: order.clone() };
    let mut line = serde_json::to_vec(&request)
        .map_err(|cause| Error::internal("a request that is no JSON").with_source(cause))?;
    line.push(b'\n');
    // One that refuses at once has said why before it hangs up.
    let _ = timeout(SILENCE, stream.write_all(&line)).await;
    answer(stream, told).await.map(Asked::Answered)
}

async fn answer(stream: UnixStream, told: Listener<'_>) -> Result<Value> {
    let mut reader = BufReader::new(stream.take(MOST_ANSWER));
    loop {
        let mut line = Vec::new();
        match timeout(SILENCE, reader.read_until(b'\n', &mut line)).await {
            Ok(Ok(1..)) if line.last() == Some(&b'\n') => {}
            _ => {
                return Err(Error::indeterminate(
                    "the process that was asked does not answer any more; what it was asked may \
                     have been done: see `outlast migrate state status`",
                ));
            }
        }
        match serde_json::from_slice(&line) {
            Ok(Line::Progress(step)) => told(step),
            Ok(Line::Result(value)) => return Ok(value),
            Ok(Line::Error { kind, message }) => return Err(error(&kind, message)),
            Err(cause) => {
                let message = "what listens at the control socket speaks another language";
                return Err(Error::incompatible(message).with_source(cause));
            }
        }
    }
}
