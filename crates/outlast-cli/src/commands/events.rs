//! `outlast events`: what people are told.

use clap::Args;
use outlast::events::{EventLog, EventQuery, Reported};
use outlast::{Cursor, Error, Event, EventCategory, EventLevel, Key, Result, Store, Timestamp};
use serde::Serialize;

use crate::commands::hosts;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::listing::cell;
use crate::moment;
use crate::output::{self, Table, note};

/// List the events of the log, the newest first
///
/// With --json: {"events": [{"seq", "at", "category", "level", "message", and where there is one
/// "actor", "host_id", "action", "subject": {"kind", "id", ...}, "details"}], "next": what --after
/// takes to go on, or null}.
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// List only these: audit, system, error or ops
    #[arg(long)]
    category: Option<EventCategory>,

    /// List only these: info, success, warn or error
    #[arg(long)]
    level: Option<EventLevel>,

    /// List only those on this host, by its id or its name, at most 200 of them
    #[arg(long)]
    host: Option<String>,

    /// List only those about this entity, as in swarm/ID
    #[arg(long, value_name = "KIND/ID", value_parser = subject)]
    subject: Option<Key>,

    /// List only those at this moment or later: a time, a day, or how long ago as in 2h
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    since: Option<Timestamp>,

    /// List only those before this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    until: Option<Timestamp>,

    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(EventQuery::MOST)))]
    limit: u32,

    /// Go on where the page before ended
    #[arg(long, value_name = "NEXT")]
    after: Option<Cursor>,
}

fn subject(text: &str) -> Result<Key> {
    let parts = text.split_once('/');
    let (kind, id) = parts.ok_or_else(|| Error::invalid(format!("{text:?} is no KIND/ID")))?;
    Key::new(kind, id)
}

#[derive(Serialize)]
struct View<'a> {
    events: Vec<EventView<'a>>,
    next: Option<String>,
}

#[derive(Serialize)]
struct EventView<'a> {
    seq: u64,
    at: Timestamp,
    #[serde(flatten)]
    event: &'a Event,
}

impl<'a> EventView<'a> {
    fn of(reported: &'a Reported) -> Self {
        Self { seq: reported.seq.0, at: reported.at, event: &reported.event }
    }
}

pub(crate) async fn run(args: &EventsArgs, store: &Store, context: &mut Context) -> Outcome {
    let (events, next, damaged) = collect(args, store).await?;
    show(&events, next, context)?;
    match damaged {
        Some(error) => Err(error.into()),
        None => Ok(Exit::Completed),
    }
}

/// The events, where to go on, and the first that cannot be read.
async fn collect(
    args: &EventsArgs,
    store: &Store,
) -> Result<(Vec<Reported>, Option<Cursor>, Option<Error>)> {
    let host_id = match &args.host {
        Some(host) => Some(hosts::id_of(store, host).await?),
        None => None,
    };
    let mut query = EventQuery {
        category: args.category,
        level: args.level,
        host_id,
        subject: args.subject.clone(),
        since: args.since,
        until: args.until,
        limit: args.limit,
        after: args.after.clone(),
    };
    let (log, mut events, mut damaged) = (EventLog::new(store), Vec::new(), None);
    loop {
        let page = log.list(&query).await?;
        for event in page.items {
            match event {
                Ok(event) => events.push(event),
                Err(error) => drop(damaged.get_or_insert(error)),
            }
        }
        query.limit = args.limit.saturating_sub(u32::try_from(events.len()).unwrap_or(u32::MAX));
        match page.next {
            Some(next) if query.limit > 0 => query.after = Some(next),
            next => return Ok((events, next, damaged)),
        }
    }
}

fn show(events: &[Reported], next: Option<Cursor>, context: &mut Context) -> Result<(), Failure> {
    let next = next.map(|next| next.to_string());
    if context.out.is_json() {
        let events = events.iter().map(EventView::of).collect();
        return context.out.json(&View { events, next });
    }
    let mut table = Table::new(&["SEQ", "AT", "CATEGORY", "LEVEL", "BY", "SUBJECT", "MESSAGE"]);
    for Reported { seq, at, event } in events {
        table.row([
            seq.0.to_string(),
            output::moment(*at),
            event.category.to_string(),
            event.level.to_string(),
            cell(event.actor.as_ref()),
            cell(event.subject.as_ref()),
            event.message.clone(),
        ]);
    }
    table.print(&mut context.out)?;
    if let Some(next) = next {
        note(&format!("there may be older ones; --after {next} goes on"));
    }
    Ok(())
}
