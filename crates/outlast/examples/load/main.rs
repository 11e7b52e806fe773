//! A program under load whose state moves live, as `cargo xtask demo` orders it: it reads orders
//! from standard input and tells each acknowledgement, as it is given, on standard output.
#![allow(clippy::print_stdout)]

mod mount;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use outlast::migration::{Flags, Migration, Near, Options, Pace, Phase};
use outlast::{
    Clock as _, Entity, Error, HistoryQuery, Kind, NoStatus, Page, RandomIds, Result, Scope, Store,
    SystemClock,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use mount::Mount;

/// Who writes at once, and the pause each makes.
const WRITERS: usize = 8;
const PAUSE: Duration = Duration::from_millis(4);

/// How many each has in turn.
const EACH: u64 = 25;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Counter {
    value: u64,
}

impl Entity for Counter {
    type Status = NoStatus;
    const KIND: &'static str = "counter";
}

/// One line, whole, whoever else writes.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Writes its counters in turn until it is told to stop, and tells how long each call took.
async fn write(store: Store, writer: usize, stopped: Arc<AtomicBool>) {
    let (clock, counters) = (SystemClock::default(), store.kind::<Counter>());
    let mut n = 0;
    while !stopped.load(Ordering::Relaxed) {
        let id = format!("w{writer}-{}", n % EACH);
        let began = clock.monotonic();
        let mut draft = store.draft();
        let written = async {
            match counters.find(&id).await? {
                Some(found) => {
                    draft.replace(&found, &Counter { value: found.value + 1 })?;
                }
                None => {
                    draft.create(&id, &Counter { value: 1 })?;
                }
            }
            draft.commit().await
        };
        let written: Result<_> = written.await;
        let micros = clock.monotonic().saturating_sub(began).as_micros();
        match written {
            Ok(receipt) => {
                for (_, version) in &receipt.versions {
                    let durability = receipt.durability;
                    tell(&format!(
                        "ack {id} {}.{} {durability} {micros}",
                        version.epoch.0, version.n
                    ));
                }
            }
            Err(error) => tell(&format!("refused {:?} {micros}", error.kind())),
        }
        n += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tells every version there is.
async fn dump(migration: &Migration) -> Result<()> {
    let scope = Scope::All(Some(Kind::new(Counter::KIND)?));
    let mut query = HistoryQuery { page: Page::first(500), ..HistoryQuery::of(scope) };
    loop {
        let page = migration.store().history(&query).await?;
        for version in page.items {
            let version = version?;
            let (epoch, n) = (version.version.epoch.0, version.version.n);
            tell(&format!("found {} {epoch}.{n}", version.key.id()));
        }
        let Some(next) = page.next else { return Ok(()) };
        query.page = query.page.after(next);
    }
}

struct Program {
    migration: Migration,
    kind: Kind,
    stopped: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
}

impl Program {
    async fn order(&mut self, order: &str) -> Result<()> {
        match order.split_once(' ').unwrap_or((order, "")) {
            ("write", _) => {
                self.stopped.store(false, Ordering::Relaxed);
                for writer in 0..WRITERS {
                    let stopped = self.stopped.clone();
                    self.writers.push(tokio::spawn(write(
                        self.migration.store().clone(),
                        writer,
                        stopped,
                    )));
                }
            }
            ("stop", _) => {
                self.stopped.store(true, Ordering::Relaxed);
                for writer in self.writers.drain(..) {
                    let _ = writer.await;
                }
            }
            ("advance", to) => {
                let told = self.migration.advance(&self.kind, to.parse::<Phase>()?, false, |_| {});
                told.await?;
            }
            ("rollback", to) => {
                self.migration.rollback(&self.kind, to.parse::<Phase>()?, false).await?;
            }
            ("settled", _) => self.settled().await?,
            ("dump", _) => dump(&self.migration).await?,
            _ => return Err(Error::invalid(format!("{order:?} is no order"))),
        }
        Ok(())
    }

    /// Waits until the database has everything.
    async fn settled(&self) -> Result<()> {
        loop {
            let status = self.migration.status().await?;
            if status.away.is_none() && status.behind == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(path), Some(state_dir)) = (args.next(), args.next()) else {
        return Err(Error::invalid("name a database and a state directory"));
    };
    let near: Near = Arc::new(|epoch| Arc::new(outlast::memory::Memory::after(&RandomIds, epoch)));
    let pace = Pace { probe: Duration::from_millis(50), ..Pace::default() };
    let flags = Flags::all(false);
    let options = Options { flags, standby: true, state_dir, pace, ..Options::default() };
    let migration = Migration::open(near, Some(Arc::new(Mount::new(path))), options).await?;
    let kind = Kind::new(Counter::KIND)?;
    tell(&format!("ready {}", migration.phase(&kind)));
    let mut program = Program { migration, kind, stopped: Arc::default(), writers: Vec::new() };
    let (sender, mut orders) = mpsc::channel(1);
    std::thread::spawn(move || {
        for order in std::io::stdin().lines().map_while(std::io::Result::ok) {
            let _ = sender.blocking_send(order);
        }
    });
    while let Some(line) = orders.recv().await {
        match program.order(&line).await {
            Ok(()) => tell(&format!("done {}", program.migration.phase(&program.kind))),
            Err(error) => tell(&format!("failed {error}")),
        }
    }
    program.migration.close().await
}
