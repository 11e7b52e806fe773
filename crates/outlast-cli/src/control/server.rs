//! Listening for orders while tasks run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use outlast::migration::Migration;
use outlast::{Error, ErrorKind, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::message::{Line, MOST_REQUEST, Request, Told};
use super::socket::Socket;
use crate::control::carry_out;

/// How many are listened to at once.
const CONNECTIONS: usize = 8;

/// How long a request may take to come, and each line of the answer to be taken.
const DEADLINE: Duration = Duration::from_secs(5);

/// How often whoever waits is told that it still goes on.
const BEAT: Duration = Duration::from_secs(5);

/// How long an order that is being carried out holds up the end of the program.
const LAST_ORDER: Duration = Duration::from_mins(1);

/// Lines of progress that wait at most; more are not told.
const WAITING: usize = 256;

/// Somebody who listens for orders.
#[derive(Debug)]
pub(crate) struct Control {
    listening: JoinHandle<()>,
    hall: Arc<Hall>,
}

/// What those who carry out orders share.
#[derive(Debug)]
struct Hall {
    migration: Migration,
    /// Whoever changes something has it.
    turn: Arc<Mutex<()>>,
    places: Arc<Semaphore>,
    owner: u32,
}

impl Control {
    /// Begins to listen. Errors as for binding a socket.
    pub(crate) async fn listen(path: &Path, migration: &Migration) -> Result<Self> {
        let socket = Socket::bind(path).await?;
        let hall = Arc::new(Hall {
            migration: migration.clone(),
            turn: Arc::default(),
            places: Arc::new(Semaphore::new(CONNECTIONS)),
            owner: socket.owner,
        });
        let listening = tokio::spawn(accept(socket, hall.clone()));
        Ok(Self { listening, hall })
    }

    /// Listens no more, removes the socket, and waits for an order that is being carried out.
    pub(crate) async fn stop(self) {
        self.listening.abort();
        let _ = self.listening.await;
        let _ = timeout(LAST_ORDER, self.hall.turn.lock()).await;
    }
}

async fn accept(socket: Socket, hall: Arc<Hall>) {
    loop {
        let Ok((mut stream, _)) = socket.listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = hall.places.clone().try_acquire_owned() else {
            let full = Error::busy("too many ask at once; try again");
            // Without waiting: whoever comes next is not to wait for this one.
            let _ = stream.try_write(&encoded(&Line::from(&full)));
            let _ = timeout(Duration::from_millis(10), stream.shutdown()).await;
            continue;
        };
        let hall = hall.clone();
        tokio::spawn(async move {
            if let Err(error) = hall.attend(&mut stream).await {
                let _ = send(&mut stream, &Line::from(&error)).await;
            }
            let _ = timeout(DEADLINE, stream.shutdown()).await;
            drop(place);
        });
    }
}

impl Hall {
    /// Reads the request, has it carried out, and tells what came of it.
    async fn attend(&self, stream: &mut UnixStream) -> Result<()> {
        let is_owner = stream.peer_cred().is_ok_and(|peer| peer.uid() == self.owner);
        if !is_owner {
            return Err(Error::invalid("only the owner of this process may control it"));
        }
        let request = receive(stream).await?;
        self.check_database(&request).await?;
        let turn = self.turn_for(&request)?;
        let (told, progress) = mpsc::channel(WAITING);
        let migration = self.migration.clone();
        // Whoever asked may go away; what was begun is done all the same, whole.
        let work = tokio::spawn(async move {
            let mut listener = |step: Told| drop(told.try_send(step));
            let done = carry_out(&migration, &request.order, &mut listener).await;
            drop(turn);
            done
        });
        follow(stream, work, progress).await
    }

    fn turn_for(&self, request: &Request) -> Result<Option<OwnedMutexGuard<()>>> {
        if !request.order.changes() {
            return Ok(None);
        }
        self.turn.clone().try_lock_owned().map(Some).map_err(|_| {
            Error::busy("another order is being carried out; try again when it is done")
        })
    }

    async fn check_database(&self, request: &Request) -> Result<()> {
        let Some(meant) = &request.database else { return Ok(()) };
        let database = self.migration.status().await?.database;
        if database.as_ref() == Some(meant) {
            return Ok(());
        }
        let has = database.as_deref().unwrap_or("none");
        let message = format!(
            "this process moves kinds to {has}, and {meant} was meant; name no --db, or another \
             --control"
        );
        Err(Error::new(ErrorKind::Conflict, message))
    }
}

/// One line, in time and not too long.
async fn receive(stream: &mut UnixStream) -> Result<Request> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream.take(MOST_REQUEST));
    let read = timeout(DEADLINE, reader.read_until(b'\n', &mut line)).await;
    let read = read.map_err(|_| Error::invalid("no request came in time"))?;
    read.map_err(|cause| Error::invalid("the request cannot be read").with_source(cause))?;
    if line.last() != Some(&b'\n') {
        return Err(Error::invalid(format!(
            "a request is one line of at most {MOST_REQUEST} bytes that ends with a line feed"
        )));
    }
    serde_json::from_slice(&line)
        .map_err(|cause| Error::invalid(format!("this is no request: {cause}")))
}

/// Passes on how far the work has come, and in the end what came of it.
async fn follow(
    stream: &mut UnixStream,
    mut work: JoinHandle<Result<serde_json::Value>>,
    mut progress: mpsc::Receiver<Told>,
) -> Result<()> {
    let done = loop {
        tokio::select! {
            biased;
            Some(told) = progress.recv() => send(stream, &Line::Progress(told)).await?,
            done = &mut work => break done,
            () = tokio::time::sleep(BEAT) => send(stream, &Line::Progress(Told::Working)).await?,
        }
    };
    while let Ok(told) = progress.try_recv() {
        send(stream, &Line::Progress(told)).await?;
    }
    let done = done.unwrap_or_else(|_| Err(Error::internal("the order was broken off")));
    send(stream, &Line::Result(done?)).await
}

async fn send(stream: &mut UnixStream, line: &Line) -> Result<()> {
    let gone = || Error::unavailable("whoever asked is gone");
    match timeout(DEADLINE, stream.write_all(&encoded(line))).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(gone()),
    }
}

fn encoded(line: &Line) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
