//! `outlast logs`: what a task or a command wrote.

mod printer;
mod tail;
mod target;

use std::time::Duration;

use clap::{Args, ValueEnum};
use outlast::{AttrName, Error, Filter, Page, Result, Seq, Store, StreamQuery};
use tokio::time::sleep;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use printer::Printer;
use target::{Target, Writer};

/// Write what a task or a command wrote, byte for byte
///
/// Its standard output and standard error come in the order they were captured, notes of the
/// capture itself go to standard error. A terminal is shown control sequences instead of
/// obeying them, unless --raw is given. With --json: one line per fragment, of any stream:
/// {"seq", "stream", "at", "byte_offset", and "text", or "base64" where it is not UTF-8}.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The task or command: its id, the beginning of it, or the name of a task in the newest run
    id: String,

    /// Look only among tasks, or only among commands
    #[arg(long)]
    kind: Option<Writer>,

    /// Write only this stream
    #[arg(long)]
    stream: Option<StreamChoice>,

    /// Go on until it is settled; if whoever would settle it is gone before, say so and exit
    /// with 3
    #[arg(long)]
    follow: bool,

    /// Begin with the last N lines
    #[arg(long, value_name = "N")]
    tail: Option<u64>,

    /// Send control sequences to the terminal as they are
    #[arg(long)]
    raw: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StreamChoice {
    Stdout,
    Stderr,
    System,
}

impl StreamChoice {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::System => "system",
        }
    }
}

/// How often to look for more.
const POLL: Duration = Duration::from_millis(200);

/// Entries read at once; each is small, but may be a megabyte.
const PAGE: u32 = 16;

pub(crate) async fn run(args: &LogsArgs, store: &Store, context: &mut Context) -> Outcome {
    let target = Target::find(store, &args.id, args.kind).await?;
    let mut query = StreamQuery::of(target.log()?);
    query.page = Page::first(PAGE);
    if let Some(stream) = args.stream {
        query.filters.push(Filter::is(AttrName::new("stream")?, stream.as_str()));
    }
    let mut printer = Printer::new(args.raw, args.stream.is_some(), &mut context.out);
    if let Some(lines) = args.tail {
        let notes_count = args.stream == Some(StreamChoice::System);
        let start = tail::find(store, &query, lines, notes_count).await?;
        query.from = Some(start.seq);
        printer.skip(start);
    }
    loop {
        let now = if args.follow { standing(store, &target).await? } else { Standing::Over };
        let damaged = drain(store, &mut query, &mut printer).await?;
        printer.flush()?;
        if let Some(error) = damaged {
            return Err(error.into());
        }
        match now {
            Standing::Driven => sleep(POLL).await,
            Standing::Over => return printer.finish().map(|()| Exit::Completed),
            Standing::Abandoned => {
                printer.finish()?;
                return Err(Failure::Interrupted(target.left()));
            }
        }
    }
}

/// Whether more may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Yes.
    Driven,
    /// No, it is settled or gone.
    Over,
    /// No, it is not settled but whoever would settle it is gone.
    Abandoned,
}

async fn standing(store: &Store, target: &Target) -> Result<Standing> {
    // In this order: the driver settles what it drives before it goes.
    let driver = outlast::driver(store).await?;
    Ok(match driver {
        _ if target.is_over(store).await? => Standing::Over,
        Some(_) => Standing::Driven,
        None => Standing::Abandoned,
    })
}

/// Prints what there is from the query's place on, and moves the place behind it. A damaged entry
/// hides no other; the first is given back.
async fn drain(
    store: &Store,
    query: &mut StreamQuery,
    printer: &mut Printer<'_>,
) -> Result<Option<Error>, Failure> {
    let mut damaged = None;
    loop {
        let page = store.read(query).await?;
        for entry in page.items {
            match entry {
                Ok(entry) => {
                    printer.print(&entry)?;
                    query.from = Some(Seq(entry.seq.0 + 1));
                }
                Err(damage) => drop(damaged.get_or_insert(Error::from(damage))),
            }
        }
        query.page.after = page.next;
        if query.page.after.is_none() {
            return Ok(damaged);
        }
    }
}
