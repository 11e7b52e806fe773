//! The one small record of the last recovery, for those who ask after the health of a store.
//!
//! Its content is rewritten only when a recovery changed something or met new trouble; when
//! recovery was last carried out is a transient attribute of it. So a recovery that finds nothing
//! to do makes no commit.

use std::collections::BTreeMap;

use outlast_core::{
    AttrName, AttrValue, Attributes, Entity, ErrorKind, NoStatus, Result, Timestamp,
};
use outlast_store::Store;
use serde::{Deserialize, Serialize};

use super::report::{Outcome, RecoveryReport};
use super::scene::Scene;
use crate::Instance;

/// The id of the record.
const LAST: &str = "last";
/// The transient attributes: when the last recovery began, and how many milliseconds it took.
const AT: &str = "at";
const DURATION: &str = "duration_ms";

/// What the last recovery that changed something found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRecovery {
    /// When it began.
    pub started_at: Timestamp,
    /// By kind and outcome, how many entities.
    pub outcomes: BTreeMap<String, BTreeMap<String, u64>>,
    /// How many were changed.
    pub changed: u64,
    /// How much could not be done.
    pub error_count: u64,
    /// How much lies there that cannot be read.
    pub quarantined: u64,
}

impl Entity for LastRecovery {
    type Status = NoStatus;
    const KIND: &'static str = "recovery";
    const CAN_ROLL_BACK: bool = false;
}

/// When a store was last recovered, and what the last recovery that changed something did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastRun {
    /// When the last recovery began.
    pub at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// What the last one that changed something did.
    #[serde(flatten)]
    pub record: LastRecovery,
}

/// The last recovery of a store; `None` if there was none. Errors are those of reading.
pub async fn last(store: &Store) -> Result<Option<LastRun>> {
    let Some(found) = store.kind::<LastRecovery>().find(LAST).await? else { return Ok(None) };
    let number = |name| -> Result<Option<i64>> {
        let value = found.transient.get(&AttrName::new(name)?);
        Ok(value.and_then(|value| match value {
            AttrValue::Int(number) => Some(*number),
            AttrValue::Text(_) => None,
        }))
    };
    let at = number(AT)?.map_or(found.started_at, Timestamp::from_micros);
    let duration_ms = number(DURATION)?.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0);
    Ok(Some(LastRun { at, duration_ms, record: found.into_value() }))
}

/// Keeps what a recovery did.
pub(super) async fn keep(
    scene: &Scene<'_>,
    instance: &Instance,
    report: &RecoveryReport,
) -> Result<()> {
    let records = scene.store.kind::<LastRecovery>();
    let next = record_of(report)?;
    let found = match records.find(LAST).await {
        // One that cannot be read is no reason to stop; it lies untouched.
        Err(error) if error.is_of_one_record() => return Ok(()),
        other => other?,
    };
    let mut draft = scene.draft("recovery is complete");
    match &found {
        None => drop(draft.create(LAST, &next)?),
        Some(found) if is_news(found, &next) => drop(draft.replace(found, &next)?),
        Some(_) => {
            draft.touch(records.key(LAST)?, ran(report)?);
            return instance.commit(&draft).await.map(drop);
        }
    }
    instance.commit(&draft).await?;
    match records.touch(LAST, ran(report)?).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn is_news(found: &LastRecovery, next: &LastRecovery) -> bool {
    let trouble = |of: &LastRecovery| (of.error_count, of.quarantined);
    next.changed > 0 || trouble(found) != trouble(next)
}

fn ran(report: &RecoveryReport) -> Result<Attributes> {
    let duration = i64::try_from(report.duration_ms).unwrap_or(i64::MAX);
    Ok(Attributes::from([
        (AttrName::new(AT)?, AttrValue::from(report.started_at)),
        (AttrName::new(DURATION)?, AttrValue::Int(duration)),
    ]))
}

fn record_of(report: &RecoveryReport) -> Result<LastRecovery> {
    // The names of the outcomes are those they are written by.
    let outcomes = outlast_core::Json::encode(&report.outcomes)?.decode()?;
    Ok(LastRecovery {
        started_at: report.started_at,
        outcomes,
        changed: report.changed,
        error_count: report.error_count,
        quarantined: report
            .outcomes
            .keys()
            .map(|kind| report.count(kind, Outcome::Quarantined))
            .sum(),
    })
}
