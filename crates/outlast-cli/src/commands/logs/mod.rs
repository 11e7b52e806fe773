//! `outlast logs`: what a task wrote.

mod printer;
mod tail;

use std::time::Duration;

use clap::{Args, ValueEnum};
use outlast::{
    AttrName, Error, Filter, Key, Page, Result, Seq, Status as _, Store, Stored, StreamQuery, Task,
};
use tokio::time::sleep;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::target;
use printer::Printer;

/// Write what a task wrote, byte for byte
///
/// Standard output and standard error of the task come in the order they were captured, notes of
/// the capture itself go to standard error. A terminal is shown control sequences instead of
/// obeying them, unless --raw is given. With --json: one line per fragment, of any stream:
/// {"seq", "stream", "at", "byte_offset", and "text", or "base64" where it is not UTF-8}.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The task: its id, the beginning of it, or its name in the newest run
    #[arg(value_name = "ID")]
    task: String,

    /// Write only this stream
    #[arg(long)]
    stream: Option<StreamChoice>,

    /// Go on until the task is settled; if its run is over before or its runner is gone, say so
    /// and exit with 3
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
    let task = target::task(store, &args.task).await?;
    let mut query = StreamQuery::of(Key::new(Task::LOG, task.id())?);
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
        let now = if args.follow { standing(store, &task).await? } else { Standing::Over };
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
                let name = &task.spec.name;
                return Err(Failure::Interrupted(format!(
                    "nobody runs task {name} any more; outlast run --resume takes its run up again"
                )));
            }
        }
    }
}

/// Whether more may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Yes.
    Driven,
    /// No, the task is settled or gone.
    Over,
    /// No, it is not settled but whoever would settle it is gone.
    Abandoned,
}

async fn standing(store: &Store, task: &Stored<Task>) -> Result<Standing> {
    // In this order: the driver settles its tasks before it goes.
    let driver = outlast::driver(store).await?;
    let task = store.kind::<Task>().find(task.id()).await?;
    Ok(match driver {
        _ if task.is_none_or(|task| task.status.is_settled()) => Standing::Over,
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
