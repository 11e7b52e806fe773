//! `outlast events`: what people are told.

use clap::Args;
use outlast::{
    AttrName, AttrValue, Entry, Error, Event, EventCategory, EventLevel, Filter, Page, Result, Seq,
    Store, StreamQuery, Test, Timestamp,
};
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
/// "actor", "host_id", "action", "subject": {"kind", "id", ...}, "details"}], "more": whether
/// there are older ones}.
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// List only these: audit, system, error, ops
    #[arg(long, value_name = "CATEGORY,...", value_delimiter = ',')]
    category: Vec<EventCategory>,

    /// List only these: info, success, warn, error
    #[arg(long, value_name = "LEVEL,...", value_delimiter = ',')]
    level: Vec<EventLevel>,

    /// List only those on this host, by its id or its name
    #[arg(long)]
    host: Option<String>,

    /// List only those about this entity, as in swarm/ID
    #[arg(long, value_name = "KIND/ID")]
    subject: Option<String>,

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

    /// Go on with those before this number, the last one of the page before
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    before: Option<u64>,
}

#[derive(Serialize)]
struct View {
    events: Vec<EventView>,
    more: bool,
}

#[derive(Serialize)]
struct EventView {
    seq: u64,
    at: Timestamp,
    #[serde(flatten)]
    event: Event,
}

impl EventView {
    fn of(entry: &Entry) -> Result<Self> {
        let event = serde_json::from_slice(&entry.data).map_err(|cause| {
            let message =
                format!("event {} of the log is no event this program knows", entry.seq.0);
            Error::corrupt(message).with_source(cause)
        })?;
        Ok(Self { seq: entry.seq.0, at: entry.at, event })
    }
}

pub(crate) async fn run(args: &EventsArgs, store: &Store, context: &mut Context) -> Outcome {
    let (mut events, damaged) = collect(args, store).await?;
    let more = events.len() > args.limit as usize;
    events.truncate(args.limit as usize);
    show(View { events, more }, context)?;
    match damaged {
        Some(error) => Err(error.into()),
        None => Ok(Exit::Completed),
    }
}

async fn query(args: &EventsArgs, store: &Store) -> Result<StreamQuery> {
    let mut query = StreamQuery::of(Event::log()?);
    (query.since, query.until, query.newest_first) = (args.since, args.until, true);
    query.to = args.before.map(|before| Seq(before - 1));
    let mut add = |name: &str, values: Vec<AttrValue>| -> Result<()> {
        if !values.is_empty() {
            let (name, test) = (AttrName::new(name)?, Test::AnyOf(values));
            query.filters.push(Filter { name, test });
        }
        Ok(())
    };
    add("category", args.category.iter().map(|one| one.as_str().into()).collect())?;
    add("level", args.level.iter().map(|one| one.as_str().into()).collect())?;
    add("subject", args.subject.iter().map(|subject| subject.as_str().into()).collect())?;
    if let Some(host) = &args.host {
        add("host", vec![hosts::id_of(store, host).await?.as_str().into()])?;
    }
    Ok(query)
}

/// The events, one more than the limit if there are more, and the first that cannot be read.
async fn collect(args: &EventsArgs, store: &Store) -> Result<(Vec<EventView>, Option<Error>)> {
    let mut query = query(args, store).await?;
    query.page = Page::first(args.limit + 1);
    let (mut events, mut damaged) = (Vec::new(), None);
    loop {
        let page = store.read(&query).await?;
        for entry in page.items {
            match entry.map_err(Error::from).and_then(|entry| EventView::of(&entry)) {
                Ok(event) => events.push(event),
                Err(error) => drop(damaged.get_or_insert(error)),
            }
        }
        match page.next {
            Some(next) if events.len() <= args.limit as usize => {
                query.page = query.page.after(next);
            }
            _ => return Ok((events, damaged)),
        }
    }
}

fn show(view: View, context: &mut Context) -> Result<(), Failure> {
    if context.out.is_json() {
        return context.out.json(&view);
    }
    let mut table = Table::new(&["SEQ", "AT", "CATEGORY", "LEVEL", "BY", "SUBJECT", "MESSAGE"]);
    let last = view.events.last().map(|last| last.seq);
    for EventView { seq, at, event } in view.events {
        table.row([
            seq.to_string(),
            output::moment(at),
            event.category.to_string(),
            event.level.to_string(),
            cell(event.actor),
            cell(event.subject),
            event.message,
        ]);
    }
    table.print(&mut context.out)?;
    if let Some(last) = last.filter(|_| view.more) {
        note(&format!("there are older ones; --before {last} goes on with them"));
    }
    Ok(())
}
