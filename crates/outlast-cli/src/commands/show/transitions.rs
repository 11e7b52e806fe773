//! How the status of an entity changed.

use std::collections::VecDeque;

use outlast::{AttrName, AttrValue, HistoryQuery, Key, Result, Scope, Store, Timestamp};
use serde::Serialize;

use crate::failure::Failure;
use crate::listing::cell;
use crate::output::{Output, Table, moment};

/// So many are kept, of those the newest.
const MOST: usize = 1000;

/// One change of status.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Transition {
    from: Option<String>,
    to: String,
    at: Timestamp,
    version: u64,
    actor: Option<String>,
    reason: Option<String>,
}

/// The changes of status in the history, the oldest first.
pub(super) async fn read(store: &Store, key: &Key) -> Result<Vec<Transition>> {
    let mut query = HistoryQuery::of(Scope::Entity(key.clone()));
    let mut transitions: VecDeque<Transition> = VecDeque::new();
    loop {
        let page = store.history(&query).await?;
        for version in page.items {
            let version = version?;
            let Some(AttrValue::Text(status)) = version.attrs.get(&AttrName::status()) else {
                continue;
            };
            let from = transitions.back().map(|before| before.to.clone());
            if from.as_deref() == Some(status) {
                continue;
            }
            transitions.push_back(Transition {
                from,
                to: status.to_string(),
                at: version.at,
                version: version.version.n,
                actor: version.actor.map(|actor| actor.to_string()),
                reason: version.reason,
            });
            if transitions.len() > MOST {
                transitions.pop_front();
            }
        }
        match page.next {
            Some(next) => query.page = query.page.after(next),
            None => return Ok(transitions.into()),
        }
    }
}

/// A table of them below an empty line, unless there are none.
pub(super) fn print(out: &mut Output, transitions: &[Transition]) -> Result<(), Failure> {
    if transitions.is_empty() {
        return Ok(());
    }
    out.line("")?;
    let mut table = Table::new(&["VERSION", "AT", "FROM", "TO", "BY", "REASON"]);
    for change in transitions {
        table.row([
            change.version.to_string(),
            moment(change.at),
            cell(change.from.as_ref()),
            change.to.clone(),
            cell(change.actor.as_ref()),
            change.reason.clone().unwrap_or_default(),
        ]);
    }
    table.print(out)
}
