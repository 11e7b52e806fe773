//! `outlast audit`: who changed what, when and why.

mod changes;

use clap::Args;
use outlast::store::{AuditEntry, AuditQuery, AuditState};
use outlast::{
    Action, Actor, Cursor, Error, ErrorKind, HistoryQuery, Id, Json, Key, Kind, Page, Result,
    Scope, Store, Timestamp,
};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::moment;
use crate::output::{self, Output, Table, note};
use crate::target;
use changes::Changes;

/// List who changed what, when and why, the newest first
///
/// With --json: {"audit": [{"kind", "id", "version", "epoch", "revision", "commit", "at",
/// "actor", "action", "reason", "metadata", "was": what there was before: absent, shown, hidden,
/// pruned or damaged, "is": what there was afterwards, "changes": {field: {"before", "after"}}
/// where both are shown, and with --full "before" and "after": the whole contents}], "next": what
/// --after takes to go on, or null}. Changes that were made while audit was off are not in it.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// List only changes to entities of this kind
    kind: Option<String>,

    /// List only changes to this one: its id, or the beginning of it
    id: Option<String>,

    /// List only those made by user:ID, agent:ID, system, recovery, migration or cleanup
    #[arg(long)]
    actor: Option<Actor>,

    /// List only those called so, such as create, status_change, delete, rollback or recovery
    #[arg(long, value_parser = action)]
    action: Option<Action>,

    /// List only those at this moment or later: a time, a day, or how long ago as in 2h
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    since: Option<Timestamp>,

    /// List only those before this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    until: Option<Timestamp>,

    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,

    /// Go on where the page before ended
    #[arg(long, value_name = "NEXT")]
    after: Option<Cursor>,

    /// Show the whole contents before and after, not only what changed
    #[arg(long)]
    full: bool,
}

fn action(text: &str) -> Result<Action> {
    Action::new(text)
}

#[derive(Serialize)]
struct View<'a> {
    audit: Vec<EntryView<'a>>,
    next: Option<String>,
}

#[derive(Serialize)]
struct EntryView<'a> {
    kind: &'a Kind,
    id: &'a str,
    version: u64,
    epoch: u64,
    revision: u64,
    commit: String,
    at: Timestamp,
    actor: String,
    action: &'a Action,
    reason: Option<&'a str>,
    metadata: Option<&'a Json>,
    was: &'static str,
    is: &'static str,
    changes: Changes,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a Json>,
}

impl<'a> EntryView<'a> {
    fn of(entry: &'a AuditEntry, full: bool) -> Self {
        Self {
            kind: &entry.key.kind,
            id: entry.key.id(),
            version: entry.version.n,
            epoch: entry.version.epoch.0,
            revision: entry.revision.0,
            commit: entry.commit.to_string(),
            at: entry.at,
            actor: entry.actor.to_string(),
            action: &entry.action,
            reason: entry.reason.as_deref(),
            metadata: entry.metadata.as_ref(),
            was: name(&entry.before),
            is: name(&entry.after),
            changes: Changes::between(&entry.before, &entry.after),
            before: entry.before.content().filter(|_| full),
            after: entry.after.content().filter(|_| full),
        }
    }
}

fn name(state: &AuditState) -> &'static str {
    match state {
        AuditState::Absent => "absent",
        AuditState::Shown(_) => "shown",
        AuditState::Hidden => "hidden",
        AuditState::Pruned => "pruned",
        AuditState::Damaged => "damaged",
    }
}

pub(crate) async fn run(args: &AuditArgs, store: &Store, context: &mut Context) -> Outcome {
    let (entries, next, damaged) = collect(args, store).await?;
    show(args, &entries, next, context)?;
    match damaged {
        Some(error) => Err(error.into()),
        None => Ok(Exit::Completed),
    }
}

/// One entity that was there once, all of a kind, or everything.
async fn scope(args: &AuditArgs, store: &Store) -> Result<Scope> {
    let Some(kind) = &args.kind else { return Ok(Scope::All(None)) };
    let kind = Kind::new(kind)?;
    let Some(id) = &args.id else { return Ok(Scope::All(Some(kind))) };
    match target::entity(store, id, std::slice::from_ref(&kind)).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = Key::of(kind, Id::new(id)?);
            let scope = Scope::Entity(key.clone());
            let first = HistoryQuery { page: Page::first(1), ..HistoryQuery::of(scope.clone()) };
            if store.history(&first).await?.items.is_empty() {
                let message = format!("{key} does not exist and never did, or was pruned");
                return Err(Error::new(ErrorKind::NotFound, message));
            }
            Ok(scope)
        }
        found => Ok(Scope::Entity(found?)),
    }
}

/// The entries, where to go on, and the first that is damaged.
async fn collect(
    args: &AuditArgs,
    store: &Store,
) -> Result<(Vec<AuditEntry>, Option<Cursor>, Option<Error>)> {
    let mut query = AuditQuery::of(scope(args, store).await?);
    (query.since, query.until) = (args.since, args.until);
    (query.actor, query.action) = (args.actor.clone(), args.action.clone());
    query.page = Page { limit: args.limit, after: args.after.clone() };
    let (mut entries, mut damaged) = (Vec::new(), None);
    loop {
        let page = store.audit(&query).await?;
        for entry in page.items {
            match entry {
                Ok(entry) => entries.push(entry),
                Err(damage) => drop(damaged.get_or_insert(Error::from(damage))),
            }
        }
        let missing = args.limit.saturating_sub(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        match page.next {
            Some(next) if missing > 0 => query.page = Page { limit: missing, after: Some(next) },
            next => return Ok((entries, next, damaged)),
        }
    }
}

fn show(
    args: &AuditArgs,
    entries: &[AuditEntry],
    next: Option<Cursor>,
    context: &mut Context,
) -> Result<(), Failure> {
    let next = next.map(|next| next.to_string());
    if context.out.is_json() {
        let audit = entries.iter().map(|entry| EntryView::of(entry, args.full)).collect();
        return context.out.json(&View { audit, next });
    }
    if args.full {
        entries.iter().try_for_each(|entry| whole(entry, &mut context.out))?;
    } else {
        short(entries).print(&mut context.out)?;
    }
    if let Some(next) = next {
        note(&format!("there may be more; --after {next} goes on"));
    }
    Ok(())
}

fn short(entries: &[AuditEntry]) -> Table {
    let mut table = Table::new(&["AT", "ENTITY", "VERSION", "ACTION", "BY", "CHANGED", "REASON"]);
    for entry in entries {
        table.row([
            output::moment(entry.at),
            entry.key.to_string(),
            entry.version.to_string(),
            entry.action.to_string(),
            entry.actor.to_string(),
            Changes::between(&entry.before, &entry.after).to_string(),
            entry.reason.clone().unwrap_or_default(),
        ]);
    }
    table
}

fn whole(entry: &AuditEntry, out: &mut Output) -> Result<(), Failure> {
    let AuditEntry { key, version, action, actor, .. } = entry;
    let reason = entry.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let at = output::moment(entry.at);
    out.line(&format!("{at} {key} version {version}, {action} by {actor}{reason}"))?;
    for (what, state) in [("before", &entry.before), ("after ", &entry.after)] {
        let content = state.content().map_or(name(state), Json::as_str);
        out.line(&format!("  {what} {content}"))?;
    }
    Ok(())
}
