//! What a client does with messages: nothing but rules, so that it can be written in any language.

use std::collections::{BTreeMap, VecDeque};

use outlast_core::Key;

use super::{Delta, Happening, Item, Message, Position, Request, Snapshot};

/// A client's copy of what a feed tells.
///
/// It is right at [`position`](Mirror::position) whatever order messages come in, get lost in or
/// are repeated in: what is not the next revision is not applied.
#[derive(Clone, Debug, Default)]
pub struct Mirror {
    position: Option<Position>,
    items: BTreeMap<Key, Item>,
    events: VecDeque<Happening>,
    waiting: bool,
}

/// What a client does after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a request has to be sent"]
pub enum Reaction {
    /// Nothing: it changed the copy.
    Applied,
    /// Nothing: it changed nothing.
    Ignored,
    /// Send this. It is said once, and again only after it was answered.
    Ask(Request),
}

impl Mirror {
    /// How many events are kept.
    pub const EVENTS: usize = 100;

    /// An empty copy.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where it is; nowhere before the first snapshot.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// The entities, in the order of their keys.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// An entity, if it is there.
    pub fn item(&self, key: &Key) -> Option<&Item> {
        self.items.get(key)
    }

    /// The last events of the log, oldest first.
    pub fn events(&self) -> impl Iterator<Item = &Happening> {
        self.events.iter()
    }

    /// Whether something was asked for and is not answered yet.
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Forgets that something was asked for, as when the connection it was asked on is gone. Says
    /// what to ask for on the next one.
    pub fn reconnect(&mut self) -> Request {
        self.waiting = true;
        self.wanted()
    }

    /// Applies a message if it is the next one.
    pub fn apply(&mut self, message: &Message) -> Reaction {
        match message {
            Message::Init(snapshot) | Message::FullState(snapshot) => self.replace(snapshot),
            Message::Delta(delta) => self.advance(delta),
            Message::Sync(position) => self.compare(*position),
            // A snapshot follows without being asked for.
            Message::Resync(..) => {
                self.waiting = true;
                Reaction::Ignored
            }
        }
    }

    fn replace(&mut self, snapshot: &Snapshot) -> Reaction {
        self.position = Some(snapshot.position());
        let items = snapshot.items.iter();
        self.items = items.map(|item| (item.key.clone(), item.clone())).collect();
        self.events.clear();
        self.keep(&snapshot.events);
        self.waiting = false;
        Reaction::Applied
    }

    fn advance(&mut self, delta: &Delta) -> Reaction {
        let Some(position) = &mut self.position else { return self.ask() };
        if delta.incarnation != position.incarnation {
            return self.ask_anew();
        }
        if delta.revision <= position.revision {
            return Reaction::Ignored;
        }
        if delta.revision != position.revision.next() {
            return self.ask();
        }
        position.revision = delta.revision;
        self.waiting = false;
        for item in &delta.items {
            if item.state.is_some() {
                self.items.insert(item.key.clone(), item.clone());
            } else {
                self.items.remove(&item.key);
            }
        }
        self.keep(&delta.events);
        Reaction::Applied
    }

    fn compare(&mut self, theirs: Position) -> Reaction {
        match self.position {
            Some(ours) if ours == theirs => Reaction::Ignored,
            // A store that went back has another past than this copy.
            Some(ours)
                if ours.incarnation != theirs.incarnation || ours.revision > theirs.revision =>
            {
                self.ask_anew()
            }
            _ => self.ask(),
        }
    }

    fn keep(&mut self, events: &[Happening]) {
        for event in events {
            if self.events.back().is_none_or(|last| last.seq < event.seq) {
                self.events.push_back(event.clone());
            }
        }
        let surplus = self.events.len().saturating_sub(Self::EVENTS);
        self.events.drain(..surplus);
    }

    /// Asks for what is missing, unless that was asked for already.
    fn ask(&mut self) -> Reaction {
        if self.waiting {
            return Reaction::Ignored;
        }
        self.waiting = true;
        Reaction::Ask(self.wanted())
    }

    /// Asks for a snapshot, since nothing leads on from here.
    fn ask_anew(&mut self) -> Reaction {
        if self.waiting {
            return Reaction::Ignored;
        }
        self.position = None;
        self.ask()
    }

    fn wanted(&self) -> Request {
        self.position.map_or(Request::GetState, Request::Resume)
    }
}
