//! What one client is told.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::Stream;
use futures_util::stream;
use outlast_core::{Error, ErrorKind, Result, Revision};
use tokio::time::timeout;

use super::feed::{Fate, Feed, Live};
use super::{Delta, Message, Position, Reason, Request, SyncOptions, gather, journal};
use crate::telemetry;

/// What one client is told: a snapshot, then every change after it.
///
/// Dropping it ends it; nobody else notices.
#[derive(Debug)]
pub struct Subscription {
    feed: Feed,
    options: SyncOptions,
    phase: Phase,
    /// Deltas that were read and not told yet.
    ready: VecDeque<Arc<Delta>>,
    /// What was told last.
    told: Revision,
}

#[derive(Debug)]
enum Phase {
    /// A snapshot is next: the first thing, or what was asked for.
    Snapshot { asked: bool },
    /// Deltas after a position are next, if they are to be had.
    Resume(Position),
    /// What was committed meanwhile is being read, page by page; once that is nearly all, with a
    /// place in the feed where everything after a revision arrives.
    CatchUp(Option<(Live, Revision)>),
    /// Everything arrives by itself.
    Follow(Live),
}

impl Subscription {
    pub(super) fn new(feed: Feed, options: SyncOptions) -> Self {
        let phase = match options.resume {
            Some(position) => Phase::Resume(position),
            None => Phase::Snapshot { asked: false },
        };
        Self { feed, options, phase, ready: VecDeque::new(), told: Revision::ZERO }
    }

    /// Waits for the next message.
    ///
    /// An error ends nothing: asking again goes on where it was. `TooLarge` if a snapshot would be
    /// over the bounds of the options, `Closed` once the store is closed, else errors are those of
    /// reading. Cancel safe: nothing is lost by dropping the future.
    pub async fn next(&mut self) -> Result<Message> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                return Ok(self.tell(delta));
            }
            let message = match &mut self.phase {
                Phase::Snapshot { asked } => {
                    let asked = *asked;
                    Some(self.take_snapshot(asked).await?)
                }
                Phase::Resume(position) => {
                    let position = *position;
                    self.resume(position).await?;
                    None
                }
                Phase::CatchUp(_) => self.catch_up().await?,
                Phase::Follow(_) => self.follow().await?,
            };
            if let Some(message) = message {
                return Ok(message);
            }
        }
    }

    /// The messages as a stream. It ends after its first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Message>> + Send + 'static {
        stream::unfold(Some(self), |subscription| async move {
            let mut subscription = subscription?;
            let next = subscription.next().await;
            let rest = next.is_ok().then_some(subscription);
            Some((next, rest))
        })
    }

    /// Does what a client asks for; the next message is the answer. What was read and not told
    /// yet is part of it, so asking twice is answered once.
    pub fn request(&mut self, request: Request) {
        self.ready.clear();
        self.phase = match request {
            Request::GetState => Phase::Snapshot { asked: true },
            Request::Resume(position) => Phase::Resume(position),
        };
    }

    /// The feed it is of.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    fn tell(&mut self, delta: Arc<Delta>) -> Message {
        self.told = delta.revision;
        match delta.within(&self.options) {
            Some(part) => Message::Delta(Arc::new(part)),
            None => Message::Delta(delta),
        }
    }

    fn position(&self) -> Position {
        Position { incarnation: self.feed.store().info().incarnation, revision: self.told }
    }

    async fn take_snapshot(&mut self, asked: bool) -> Result<Message> {
        let snapshot = Arc::new(gather::take(self.feed.store(), &self.options).await?);
        metrics::counter!(telemetry::SYNC_SNAPSHOTS).increment(1);
        self.told = snapshot.revision;
        self.phase = Phase::CatchUp(None);
        Ok(if asked { Message::FullState(snapshot) } else { Message::Init(snapshot) })
    }

    /// Goes on after a position, or turns to a snapshot if it is not one of this store's.
    async fn resume(&mut self, position: Position) -> Result<()> {
        let store = self.feed.store();
        let is_ours = position.incarnation == store.info().incarnation
            && position.revision <= store.revision().await?;
        let is_kept = is_ours && is_kept(store.changes(position.revision, 1).await)?;
        self.phase = if is_kept { Phase::CatchUp(None) } else { Phase::Snapshot { asked: false } };
        self.told = position.revision;
        Ok(())
    }

    /// Reads a page of what was committed after what was told.
    async fn catch_up(&mut self) -> Result<Option<Message>> {
        let incarnation = self.feed.store().info().incarnation;
        let stretch = journal::stretch(self.feed.store(), incarnation, self.told).await;
        let stretch = match stretch {
            Err(error) if error.kind() == ErrorKind::Compacted => {
                return Ok(Some(self.begin_anew(Reason::Compacted)));
            }
            other => other?,
        };
        let reached = stretch.deltas.back().map_or(self.told, |delta| delta.revision);
        let joined = if stretch.is_last && !self.has_joined() {
            Some(self.feed.join(self.options.queue).await?)
        } else {
            None
        };
        // From here on nothing is awaited, so what was read cannot be lost.
        self.ready.extend(stretch.deltas.into_iter().map(Arc::new));
        let Phase::CatchUp(place) = &mut self.phase else { return Ok(None) };
        if joined.is_some() {
            *place = joined;
        }
        match place.take() {
            Some((live, from)) if reached >= from && !live.is_out() => {
                self.phase = Phase::Follow(live);
            }
            Some((live, from)) if !live.is_out() => *place = Some((live, from)),
            _ => {}
        }
        Ok(None)
    }

    fn has_joined(&self) -> bool {
        matches!(&self.phase, Phase::CatchUp(Some(_)))
    }

    /// Waits for the next delta, or until there was silence for long enough.
    async fn follow(&mut self) -> Result<Option<Message>> {
        let Phase::Follow(live) = &mut self.phase else { return Ok(None) };
        let next = match self.options.beacon {
            None => live.next().await,
            Some(silence) => match timeout(silence, live.next()).await {
                Ok(next) => next,
                Err(_) => return Ok(Some(Message::Sync(self.position()))),
            },
        };
        match next {
            // It was read while catching up.
            Ok(delta) if delta.revision <= self.told => Ok(None),
            Ok(delta) if delta.revision == self.told.next() => Ok(Some(self.tell(delta))),
            Ok(delta) => Err(Error::internal(format!(
                "the feed went from revision {} to {}",
                self.told.0, delta.revision.0
            ))),
            Err(Fate::Out(reason)) => Ok(Some(self.begin_anew(reason))),
            Err(Fate::Failed(error)) => {
                self.phase = Phase::CatchUp(None);
                Err(error)
            }
        }
    }

    /// Says that deltas are left out; a snapshot is next.
    fn begin_anew(&mut self, reason: Reason) -> Message {
        metrics::counter!(telemetry::SYNC_RESYNCS).increment(1);
        tracing::debug!(?reason, told = self.told.0, "a subscription begins anew");
        self.ready.clear();
        self.phase = Phase::Snapshot { asked: false };
        Message::Resync(self.position(), reason)
    }
}

fn is_kept<T>(read: Result<T>) -> Result<bool> {
    match read {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Compacted => Ok(false),
        Err(error) => Err(error),
    }
}
