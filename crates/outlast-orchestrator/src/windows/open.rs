//! An open window as the engine holds it: small, since there may be a hundred thousand of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    Dispatch, Error, IdSource, Result, Timestamp, Version, Window, WindowItem, WindowKind,
    WindowStatus,
};
use outlast_store::Stored;
use uuid::Uuid;

use super::registered::Registered;

/// The type of an item that a join put together.
const JOINED: &str = "join";

/// A window that waits.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: Arc<str>,
    /// The version of its row; none if it was not written yet.
    pub(super) version: Option<Version>,
    pub(super) subscription: Arc<Registered>,
    pub(super) operation: WindowKind,
    pub(super) key: Option<Arc<str>>,
    pub(super) created_at: Timestamp,
    pub(super) window_end: Option<Timestamp>,
    pub(super) opened_at_seq: u64,
    pub(super) next_place: u64,
    pub(super) items: Vec<Item>,
}

/// One thing a window holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The id of its row.
    pub(super) row: Uuid,
    /// Whether the row is there and names this window.
    pub(super) is_written: bool,
    /// Whether there is a row at all.
    pub(super) is_stored: bool,
    pub(super) place: u64,
    /// Its type among those its subscription needs; none for what a join put together.
    pub(super) type_place: Option<usize>,
    pub(super) artifacts: Box<[Uuid]>,
    pub(super) added_at: Timestamp,
    pub(super) seq: u64,
}

/// What is new, before it has a place in a window.
#[derive(Clone, Debug)]
pub(super) struct Arriving {
    pub(super) type_place: Option<usize>,
    pub(super) artifacts: Box<[Uuid]>,
    pub(super) at: Timestamp,
    pub(super) seq: u64,
}

impl Open {
    /// A window without items, whose time begins now.
    pub(super) fn new(
        subscription: &Arc<Registered>,
        operation: WindowKind,
        key: Option<Arc<str>>,
        ids: &dyn IdSource,
    ) -> Self {
        Self {
            id: ids.uuid().to_string().into(),
            version: None,
            subscription: subscription.clone(),
            operation,
            key,
            created_at: Timestamp::default(),
            window_end: None,
            opened_at_seq: 0,
            next_place: 1,
            items: Vec::new(),
        }
    }

    /// How long it waits in all, if time ends it.
    pub(super) fn window(&self) -> Option<Duration> {
        let millis = match self.operation {
            WindowKind::Join => self.subscription.time_window(),
            WindowKind::Batch => self.subscription.spec.batch.and_then(|batch| batch.timeout_ms),
        };
        millis.map(Duration::from_millis)
    }

    /// Lets its time begin at a moment.
    pub(super) fn begin(&mut self, at: Timestamp) {
        self.created_at = at;
        self.window_end = self.window().map(|window| at.plus(window));
    }

    /// The first moment at which its time is over.
    pub(super) fn fires_at(&self) -> Option<Timestamp> {
        fires_at(self.operation, self.window_end)
    }

    /// Whether its time is over.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.fires_at().is_some_and(|fires_at| now >= fires_at)
    }

    /// Whether too many artifacts came since its first.
    pub(super) fn is_passed(&self, seq: u64) -> bool {
        let window = match self.operation {
            WindowKind::Join => self.subscription.count_window(),
            WindowKind::Batch => None,
        };
        window.is_some_and(|window| seq.saturating_sub(self.opened_at_seq) > window)
    }

    /// Adds what is new. The first begins its time.
    pub(super) fn push(&mut self, arriving: Arriving, ids: &dyn IdSource) {
        if self.items.is_empty() {
            self.begin(arriving.at);
            self.opened_at_seq = arriving.seq;
        }
        self.items.push(Item {
            row: ids.uuid(),
            is_written: false,
            is_stored: false,
            place: self.next_place,
            type_place: arriving.type_place,
            artifacts: arriving.artifacts,
            added_at: arriving.at,
            seq: arriving.seq,
        });
        self.next_place += 1;
    }

    /// How many of a type it holds.
    fn count(&self, type_place: usize) -> usize {
        self.items.iter().filter(|item| item.type_place == Some(type_place)).count()
    }

    /// Whether a join has all it needs.
    pub(super) fn is_complete(&self) -> bool {
        let mut required = self.subscription.required.iter().enumerate();
        required.all(|(place, (_, needed))| self.count(place) >= *needed as usize)
    }

    /// Whether a batch is full: of items, or of artifacts.
    pub(super) fn is_full(&self, most: usize) -> bool {
        let size = self.subscription.spec.batch.and_then(|batch| batch.size);
        let group = if self.subscription.is_gated() { self.subscription.needed } else { 1 };
        size.is_some_and(|size| self.items.len() >= size as usize)
            || self.artifacts() + group > most
    }

    /// How many artifacts it holds.
    pub(super) fn artifacts(&self) -> usize {
        self.items.iter().map(|item| item.artifacts.len()).sum()
    }

    /// Takes what a complete join needs: all of it, or, where more came, the first of each type as
    /// a window of their own, while the rest begins anew with the first of what is left.
    pub(super) fn split(mut self, ids: &dyn IdSource) -> (Self, Option<Self>) {
        let mut missing: Vec<u32> =
            self.subscription.required.iter().map(|(_, needed)| *needed).collect();
        let (needed, surplus): (Vec<Item>, Vec<Item>) = self.items.drain(..).partition(|item| {
            let slot = item.type_place.and_then(|place| missing.get_mut(place));
            slot.is_some_and(|left| {
                let takes = *left > 0;
                *left = left.saturating_sub(1);
                takes
            })
        });
        let Some(first) = surplus.first() else {
            self.items = needed;
            return (self, None);
        };
        let complete = Self {
            id: ids.uuid().to_string().into(),
            version: None,
            subscription: self.subscription.clone(),
            key: self.key.clone(),
            items: needed.into_iter().map(|item| Item { is_written: false, ..item }).collect(),
            ..self
        };
        let (begin, seq) = (first.added_at, first.seq);
        self.items = surplus;
        self.begin(begin);
        self.opened_at_seq = seq;
        (complete, Some(self))
    }

    /// The artifacts of a join: by type in the order of declaration, then by arrival.
    pub(super) fn in_order(&self) -> Box<[Uuid]> {
        let mut items: Vec<&Item> = self.items.iter().collect();
        items.sort_by_key(|item| (item.type_place, item.place));
        items.iter().flat_map(|item| item.artifacts.iter().copied()).collect()
    }

    fn collected(&self) -> BTreeMap<String, u32> {
        let mut collected = BTreeMap::new();
        for item in &self.items {
            let count = collected.entry(self.type_name(item).to_owned()).or_insert(0_u32);
            *count = count.saturating_add(1);
        }
        collected
    }

    fn type_name(&self, item: &Item) -> &str {
        let place = item.type_place.and_then(|place| self.subscription.required.get(place));
        place.map_or(JOINED, |(name, _)| name)
    }

    /// The row of it in this state.
    pub(super) fn row(&self, status: WindowStatus) -> Window {
        let subscription = &*self.subscription;
        let is_join = self.operation == WindowKind::Join;
        let required = if is_join { subscription.required.clone() } else { Vec::new() };
        let batch = subscription.spec.batch.filter(|_| !is_join);
        let window = self.window().map(|window| window.as_millis());
        Window {
            status,
            operation: self.operation,
            agent_name: subscription.spec.agent_name.clone(),
            subscription: subscription.spec.name.clone(),
            subscription_index: subscription.spec.index,
            fingerprint: subscription.fingerprint.clone(),
            correlation_key: self.key.as_deref().map(str::to_owned),
            types: required.iter().map(|(name, _)| name.clone()).collect(),
            required: required.into_iter().collect(),
            collected: self.collected(),
            items_collected: u32::try_from(self.items.len()).unwrap_or(u32::MAX),
            items_target: batch.and_then(|batch| batch.size),
            window_ms: window.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX)),
            window_count: subscription.count_window().filter(|_| is_join),
            opened_at_seq: self.opened_at_seq,
            created_at: self.created_at,
            window_end: self.window_end,
            finished_at: None,
            dispatch: None,
            error: None,
        }
    }

    /// The row of an item.
    pub(super) fn item_row(&self, item: &Item) -> WindowItem {
        WindowItem {
            window_id: self.id.to_string(),
            place: item.place,
            seq: item.seq,
            artifact_ids: item.artifacts.iter().map(Uuid::to_string).collect(),
            type_name: self.type_name(item).to_owned(),
            added_at: item.added_at,
        }
    }

    /// The window whose rows these are. `Corrupt` if they do not fit together.
    pub(super) fn restored(
        window: &Stored<Window>,
        items: Vec<Stored<WindowItem>>,
        subscription: &Arc<Registered>,
    ) -> Result<Self> {
        let mut items = items
            .into_iter()
            .map(|row| restored_item(&row, window.operation, subscription))
            .collect::<Result<Vec<Item>>>()
            .map_err(|error| error.context(&window.key))?;
        items.sort_by_key(|item| item.place);
        Ok(Self {
            id: window.id().into(),
            version: Some(window.version),
            subscription: subscription.clone(),
            operation: window.operation,
            key: window.correlation_key.as_deref().map(Into::into),
            created_at: window.created_at,
            window_end: window.window_end,
            opened_at_seq: window.opened_at_seq,
            next_place: items.last().map_or(1, |last| last.place + 1),
            items,
        })
    }
}

/// The first moment at which a window's time is over. A join lives through the last moment of its
/// window, a batch is handed over in it.
pub(crate) fn fires_at(operation: WindowKind, window_end: Option<Timestamp>) -> Option<Timestamp> {
    let end = window_end?;
    Some(match operation {
        WindowKind::Join => end.plus(Duration::from_micros(1)),
        WindowKind::Batch => end,
    })
}

/// What a hand-over that begins now is recorded as.
pub(super) fn dispatch(
    reason: Option<outlast_core::FlushReason>,
    now: Timestamp,
    ids: &dyn IdSource,
) -> Dispatch {
    let id = ids.uuid().to_string();
    Dispatch { id, attempts: 1, next_attempt_at: None, reason, dispatched_at: now }
}

fn restored_item(
    row: &Stored<WindowItem>,
    operation: WindowKind,
    subscription: &Registered,
) -> Result<Item> {
    let uuid = |text: &str| {
        let wrong = |_| Error::corrupt(format!("{text:?} is no id that the engine gave"));
        Uuid::parse_str(text).map_err(wrong)
    };
    let type_place = subscription.place_of(&row.type_name);
    if type_place.is_none() && operation == WindowKind::Join {
        let message = format!("{} is of type {:?}, which is not needed", row.key, row.type_name);
        return Err(Error::corrupt(message));
    }
    Ok(Item {
        row: uuid(row.id())?,
        is_written: true,
        is_stored: true,
        place: row.place,
        type_place,
        artifacts: row.artifact_ids.iter().map(|id| uuid(id)).collect::<Result<_>>()?,
        added_at: row.added_at,
        seq: row.seq,
    })
}
