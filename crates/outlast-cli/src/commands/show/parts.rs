//! What belongs to an entity and is stored under keys of its own.

use std::collections::{BTreeMap, BTreeSet};

use outlast::{
    Agent, AttrName, AttrValue, Claim, Command, Entity, Filter, Host, Key, Order, Page, Pipeline,
    Query, Result, StageOutcome, Status as _, Store, Stored, Swarm, Window, WindowItem,
};
use serde::Serialize;

use super::fields::Fact;
use super::log::LogSize;
use crate::failure::Failure;
use crate::output::{Output, Table, moment};

/// So many items of a window are shown.
const MOST_ITEMS: u32 = 1000;

/// Each is there for the kind it belongs to only.
#[derive(Debug, Default, Serialize)]
pub(super) struct Parts {
    #[serde(skip_serializing_if = "Option::is_none")]
    agents_by_status: Option<BTreeMap<String, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    busy_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<LogSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcomes: Option<Vec<StageOutcome>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Vec<WindowItem>>,
}

impl Parts {
    pub(super) async fn read(store: &Store, key: &Key) -> Result<Self> {
        let id = key.id();
        let mut parts = Self::default();
        match key.kind.as_str() {
            Swarm::KIND => parts.agents_by_status = Some(agents(store, id).await?),
            Host::KIND => {
                let claim = store.kind::<Claim>().find(&format!("host/{id}")).await?;
                parts.busy_with = claim.map(|claim| claim.holder.clone());
            }
            Command::KIND => parts.log = Some(LogSize::read(store, Command::LOG, id).await?),
            Pipeline::KIND => {
                parts.outcomes = Some(members(store, id, AttrName::new("stage")?, None).await?);
            }
            Window::KIND => {
                let place = AttrName::new("place")?;
                parts.items = Some(members(store, id, place, Some(MOST_ITEMS)).await?);
            }
            _ => {}
        }
        Ok(parts)
    }

    /// Those that are one line.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Some(agents) = &self.agents_by_status {
            let counts: Vec<_> = agents.iter().map(|(of, count)| format!("{count} {of}")).collect();
            facts.push(("agents".to_owned(), counts.join(", ")));
        }
        if let Some(command) = &self.busy_with {
            facts.push(("busy_with".to_owned(), command.clone()));
        }
        if let Some(log) = &self.log {
            facts.push(("output".to_owned(), log.to_string()));
        }
        facts
    }

    /// Those that are tables, each below an empty line.
    pub(super) fn print(&self, out: &mut Output) -> Result<(), Failure> {
        if let Some(outcomes) = &self.outcomes {
            out.line("")?;
            grid(outcomes).print(out)?;
        }
        if let Some(items) = &self.items {
            out.line("")?;
            let mut table = Table::new(&["PLACE", "TYPE", "ADDED", "ARTIFACTS"]);
            for item in items {
                table.row([
                    item.place.to_string(),
                    item.type_name.clone(),
                    moment(item.added_at),
                    item.artifact_ids.join(" "),
                ]);
            }
            table.print(out)?;
        }
        Ok(())
    }
}

/// How many agents of a swarm are in which state.
async fn agents(store: &Store, swarm: &str) -> Result<BTreeMap<String, u64>> {
    let query = store.kind::<Agent>().query()?.filter(Filter::is(AttrName::group(), swarm));
    let counts = store.count(&query, &[AttrName::status()]).await?;
    let rows = counts.groups.into_iter().filter_map(|(group, count)| match group.as_slice() {
        [Some(AttrValue::Text(status))] => Some((status.to_string(), count)),
        _ => None,
    });
    Ok(rows.collect())
}

/// What belongs to a group, in the order of a number, the first `most` of it.
async fn members<T: Entity>(
    store: &Store,
    group: &str,
    order: AttrName,
    most: Option<u32>,
) -> Result<Vec<T>> {
    let kind = store.kind::<T>();
    let query = kind.query()?.filter(Filter::is(AttrName::group(), group));
    let mut query = Query { order: Order::Attr(order), page: Page::first(MOST_ITEMS), ..query };
    let mut members = Vec::new();
    loop {
        let page = kind.list(&query).await?;
        for member in page.items {
            members.push(Stored::into_value(member?));
        }
        match page.next {
            Some(next) if most.is_none_or(|most| members.len() < most as usize) => {
                query.page = query.page.after(next);
            }
            _ => break,
        }
    }
    members.truncate(most.map_or(usize::MAX, |most| most as usize));
    Ok(members)
}

/// A row for each host, a column for each stage.
fn grid(outcomes: &[StageOutcome]) -> Table {
    let stages: BTreeMap<u32, &str> =
        outcomes.iter().map(|outcome| (outcome.stage, &*outcome.op)).collect();
    let hosts: BTreeSet<&str> = outcomes.iter().map(|outcome| &*outcome.host_id).collect();
    let cells: BTreeMap<_, _> =
        outcomes.iter().map(|outcome| ((&*outcome.host_id, outcome.stage), outcome)).collect();
    let headings = ["HOST"].into_iter().chain(stages.values().copied());
    let mut table = Table::new(&headings.collect::<Vec<_>>());
    for host in hosts {
        let row = stages.keys().map(|stage| {
            cells.get(&(host, *stage)).map_or_else(|| "-".to_owned(), |outcome| came_of(outcome))
        });
        table.row([host.to_owned()].into_iter().chain(row));
    }
    table
}

fn came_of(outcome: &StageOutcome) -> String {
    let status = outcome.status.as_str();
    match outcome.exit_code {
        Some(code) if code != 0 => format!("{status} ({code})"),
        _ => status.to_owned(),
    }
}
