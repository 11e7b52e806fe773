//! From maps of one's own to a database, one kind at a time, while everything goes on working.
#![allow(clippy::print_stdout)]

use std::collections::HashMap;
use std::path::Path;

use outlast::migration::{Adopted, Fate, Flags, Options, Running, start};
use outlast::recovery::StartOptions;
use outlast::{Agent, Entity, Kind, Location, Result, Session, Timestamp};

/// What the program kept so far, and loses whenever it ends.
struct Before {
    sessions: HashMap<String, Session>,
    agents: HashMap<String, Agent>,
}

fn before() -> Before {
    let now = Timestamp::from_micros(1_700_000_000_000_000);
    let sessions = ["s1", "s2"].map(|id| (id.to_owned(), Session::new("tree", "main", now)));
    let agents = ["a1"].map(|id| (id.to_owned(), Agent::new("large", "dig", now)));
    Before { sessions: sessions.into(), agents: agents.into() }
}

fn adopted<T: Entity>(map: &HashMap<String, T>) -> Result<Vec<Adopted>> {
    map.iter().map(|(id, value)| Adopted::of(id, value)).collect()
}

/// Starts with these kinds wished to be in the database.
async fn begin(folder: &Path, wanted: &[&str]) -> Result<Running> {
    let mut flags = Flags::all(false);
    for kind in wanted {
        flags = flags.with(Kind::new(kind)?, true);
    }
    let options = Options { flags, state_dir: folder.join("state"), ..Options::default() };
    let database = Location::Sqlite(folder.join("state.db"));
    start(Some(&database), options, &StartOptions::default()).await
}

async fn tell(running: &Running) -> Result<()> {
    for kind in running.migration().status().await?.kinds {
        if ["agent", "session"].contains(&kind.kind.as_str()) {
            println!("  {} is {}, acknowledged as {}", kind.kind, kind.phase, kind.durability);
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder =
        tempfile::tempdir().map_err(|cause| outlast::Error::unavailable(cause.to_string()))?;
    let Before { sessions, agents } = before();

    println!("no flag: the store is memory, and no file is written");
    let running = begin(folder.path(), &[]).await?;
    let adoption = running.migration().migrate_from_memory(adopted(&sessions)?).await?;
    println!("  {} sessions taken over", adoption.count(&Fate::Migrated));
    running.stop().await?;
    assert!(!folder.path().join("state.db").exists());

    println!("sessions first: agents stay in memory");
    let running = begin(folder.path(), &["session"]).await?;
    let all = adopted(&sessions)?.into_iter().chain(adopted(&agents)?);
    let adoption = running.migration().migrate_from_memory(all).await?;
    println!("  {} taken over", adoption.count(&Fate::Migrated));
    tell(&running).await?;
    running.stop().await?;

    println!("agents too: the sessions are there already");
    let running = begin(folder.path(), &["session", "agent"]).await?;
    let all = adopted(&sessions)?.into_iter().chain(adopted(&agents)?);
    let adoption = running.migration().migrate_from_memory(all).await?;
    let (new, known) = (adoption.count(&Fate::Migrated), adoption.count(&Fate::Unchanged));
    println!("  {new} taken over, {known} unchanged");
    tell(&running).await?;
    running.stop().await?;

    println!("from now on a start finds everything");
    let running = begin(folder.path(), &["session", "agent"]).await?;
    let recovered = running.recovery_context().map_or(0, |report| report.changed);
    println!("  {recovered} settled by recovery");
    let stats = running.persistence_stats().await?;
    println!("  {} active agents, {} sessions", stats.active_agents, stats.total_sessions);
    println!("  behind the database: {:?}", stats.divergence);
    running.stop().await.map(drop)
}
