//! Whether the clock can be trusted enough to remove anything by it.
//!
//! A wall clock that is wrong by a month makes everything look a month old. So when it jumped
//! against the monotonic clock since the last tick, or by more than the shortest age, and more than
//! an hour, while the store was closed, that tick only reports. The next one with a steady clock removes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use outlast_core::{
    AttrName, AttrValue, Attributes, Entity, ErrorKind, NoStatus, Result, Timestamp,
};
use outlast_store::Store;
use serde::{Deserialize, Serialize};

/// By how much clocks may drift apart.
const JUMP: Duration = Duration::from_hours(1);

/// The id of the record, and the transient attribute that says when the last tick was.
const LAST: &str = "last";
const AT: &str = "at";

/// The one small record of retention. When it last ran is a transient attribute of it, so that
/// running makes no commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSweep {}

impl Entity for LastSweep {
    type Status = NoStatus;
    const KIND: &'static str = "retention";
    const CAN_ROLL_BACK: bool = false;
}

/// When retention last ran on a store, on its clock of then; `None` if it never did. Errors are
/// those of reading.
pub async fn last_sweep(store: &Store) -> Result<Option<Timestamp>> {
    let Some(found) = store.kind::<LastSweep>().find(LAST).await? else { return Ok(None) };
    Ok(match found.transient.get(&AttrName::new(AT)?) {
        Some(AttrValue::Int(at)) => Some(Timestamp::from_micros(*at)),
        _ => None,
    })
}

/// What both clocks showed at the last tick of this process.
#[derive(Debug, Default)]
pub(super) struct Guard {
    last: Mutex<Option<(Timestamp, Duration)>>,
}

impl Guard {
    /// Why nothing is to be removed now, if so.
    pub(super) async fn doubt(
        &self,
        store: &Store,
        shortest: Option<Duration>,
    ) -> Result<Option<String>> {
        let (now, ticks) = (store.clock().now(), store.clock().monotonic());
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, then_ticks)) = last {
            let expected = then.plus(ticks.saturating_sub(then_ticks));
            let jump = apart(now, expected);
            return Ok((jump > JUMP).then(|| {
                format!("the clock shows {now} where {expected} was expected, since the last time")
            }));
        }
        let Some(then) = last_sweep(store).await? else { return Ok(None) };
        let is_long = shortest.is_some_and(|shortest| apart(now, then) > shortest.max(JUMP));
        Ok(is_long.then(|| {
            format!(
                "the clock shows {now}, and showed {then} the last time: that is longer than the \
                 shortest time that anything is kept"
            )
        }))
    }

    /// Keeps what the clocks show, here and in the store.
    pub(super) async fn remember(&self, store: &Store) -> Result<()> {
        let (now, ticks) = (store.clock().now(), store.clock().monotonic());
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, ticks));
        let records = store.kind::<LastSweep>();
        let at = Attributes::from([(AttrName::new(AT)?, AttrValue::from(now))]);
        match records.touch(LAST, at.clone()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => return other,
        }
        match records.create(LAST, &LastSweep {}).await {
            Err(error) if error.kind() == ErrorKind::Exists => {}
            other => drop(other?),
        }
        records.touch(LAST, at).await
    }
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}
