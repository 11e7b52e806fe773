//! `outlast history`: every version of one entity.

use clap::Args;
use outlast::{
    Error, ErrorKind, HistoryQuery, Json, Key, Page, Result, Scope, Store, Timestamp, Versioned,
};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Table, moment, note};
use crate::target;

/// List the versions of an entity of any kind, the newest first: when, who, why
///
/// With --json: {"kind", "id", "versions": [{"version", "epoch", "at", "action", "actor",
/// "reason", "metadata", "schema", "attributes", "state": null where it was deleted}], "more":
/// whether the limit cut the list short}.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The kind of the entity, such as task, swarm or one of your own
    kind: String,

    /// Its id, or the beginning of it; of a task also its name in the newest run
    id: String,

    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Serialize)]
struct View<'a> {
    kind: &'a str,
    id: &'a str,
    versions: Vec<VersionView<'a>>,
    more: bool,
}

#[derive(Serialize)]
struct VersionView<'a> {
    version: u64,
    epoch: u64,
    at: Timestamp,
    action: &'a str,
    actor: Option<String>,
    reason: Option<&'a str>,
    metadata: Option<&'a Json>,
    schema: u32,
    attributes: &'a outlast::Attributes,
    state: Option<&'a Json>,
}

impl<'a> VersionView<'a> {
    fn of(version: &'a Versioned) -> Self {
        Self {
            version: version.version.n,
            epoch: version.version.epoch.0,
            at: version.at,
            action: version.action.as_str(),
            actor: version.actor.as_ref().map(ToString::to_string),
            reason: version.reason.as_deref(),
            metadata: version.metadata.as_ref(),
            schema: version.schema,
            attributes: &version.attrs,
            state: version.state.as_ref(),
        }
    }
}

pub(crate) async fn run(args: &HistoryArgs, store: &Store, context: &mut Context) -> Outcome {
    let key = key(args, store).await?;
    let (versions, damaged) = versions(store, &key, args.limit).await?;
    if versions.is_empty() && damaged.is_none() {
        let message = format!("{key} does not exist and never did, or was pruned");
        return Err(Error::new(ErrorKind::NotFound, message).into());
    }
    show(context, &key, &versions, args.limit)?;
    match damaged {
        Some(error) => Err(error.into()),
        None => Ok(Exit::Completed),
    }
}

async fn key(args: &HistoryArgs, store: &Store) -> Result<Key> {
    let key = Key::new(&args.kind, &args.id)?;
    match target::entity(store, &args.id, std::slice::from_ref(&key.kind)).await {
        // A deleted entity has a history too.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(key),
        found => found,
    }
}

/// The versions, one more than the limit if there are more, and the first that is damaged.
async fn versions(store: &Store, key: &Key, limit: u32) -> Result<(Vec<Versioned>, Option<Error>)> {
    let mut query = HistoryQuery::of(Scope::Entity(key.clone()));
    (query.newest_first, query.page) = (true, Page::first(100));
    let (mut versions, mut damaged) = (Vec::new(), None);
    loop {
        let page = store.history(&query).await?;
        for version in page.items {
            match version {
                Ok(version) => versions.push(version),
                Err(damage) => drop(damaged.get_or_insert(Error::from(damage))),
            }
        }
        match page.next {
            Some(next) if versions.len() <= limit as usize => query.page = query.page.after(next),
            _ => return Ok((versions, damaged)),
        }
    }
}

fn show(
    context: &mut Context,
    key: &Key,
    versions: &[Versioned],
    limit: u32,
) -> Result<(), Failure> {
    let more = versions.len() > limit as usize;
    let versions = versions.iter().take(limit as usize);
    if context.out.is_json() {
        let versions = versions.map(VersionView::of).collect();
        let view = View { kind: key.kind.as_str(), id: key.id(), versions, more };
        return context.out.json(&view);
    }
    let mut table = Table::new(&["VERSION", "AT", "ACTION", "STATUS", "BY", "REASON"]);
    for version in versions {
        let absent = || "-".to_owned();
        let status = version.attrs.get(&outlast::AttrName::status());
        table.row([
            version.version.to_string(),
            moment(version.at),
            version.action.to_string(),
            status.map_or_else(absent, ToString::to_string),
            version.actor.as_ref().map_or_else(absent, ToString::to_string),
            version.reason.clone().unwrap_or_default(),
        ]);
    }
    table.print(&mut context.out)?;
    if more {
        note(&format!("there are more than {limit}; --limit shows more"));
    }
    Ok(())
}
