//! The settings there are: one row each.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use outlast::migration::Flags;
use outlast::recovery::Table;
use outlast::{Error, Kind, OnIdle, RecoveryPolicy, Result};

use super::retention;
use crate::config::Config;
use crate::duration;

/// One setting.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name in a file.
    pub(super) name: &'static str,
    /// Its name in the environment.
    pub(super) env: &'static str,
    /// Its value when nobody says anything.
    pub(super) default: &'static str,
    /// What it is.
    pub(super) about: &'static str,
    /// Reads and sets it; `Invalid` for a value that cannot be.
    pub(super) set: fn(&mut Config, &str) -> Result<()>,
}

/// Those that are not about retention.
const KEYS: &[Key] = &[
    Key {
        name: "db",
        env: "OUTLAST_DB",
        default: "sqlite:outlast.db",
        about: "where the store is: sqlite:PATH, or sled:PATH for one process at a time",
        set: |config, text| put(&mut config.db, text.parse()),
    },
    Key {
        name: "max_concurrent",
        env: "OUTLAST_MAX_CONCURRENT",
        default: "5",
        about: "how many tasks run at once",
        set: |config, text| put(&mut config.max_concurrent, count(text)),
    },
    Key {
        name: "grace",
        env: "OUTLAST_GRACE",
        default: "2s",
        about: "how long a task may take to end after it was asked to",
        set: |config, text| put(&mut config.grace, duration::parse(text)),
    },
    Key {
        name: "recovery",
        env: "OUTLAST_RECOVERY",
        default: "interrupted",
        about: "what becomes of a task that was running when the program was killed: restart, interrupted or failed",
        set: |config, text| put(&mut config.recovery, choice(text, &RECOVERY)),
    },
    Key {
        name: "idle_threshold",
        env: "OUTLAST_IDLE_THRESHOLD",
        default: "60s",
        about: "after how long without output a task counts as idle",
        set: |config, text| put(&mut config.idle_threshold, positive(text)),
    },
    Key {
        name: "on_idle",
        env: "OUTLAST_ON_IDLE",
        default: "mark",
        about: "what happens then: mark or interrupt",
        set: |config, text| put(&mut config.on_idle, choice(text, &ON_IDLE)),
    },
    Key {
        name: "flush_interval",
        env: "OUTLAST_FLUSH_INTERVAL",
        default: "200ms",
        about: "how long captured output may wait before it is written",
        set: |config, text| put(&mut config.flush_interval, positive(text)),
    },
    Key {
        name: "recover",
        env: "OUTLAST_RECOVER",
        default: "none",
        about: "what recover does otherwise than usual, as in agent.running=keep,command.pending=requeue",
        set: |config, text| put(&mut config.recover, recover(text)),
    },
    Key {
        name: "locking",
        env: "OUTLAST_LOCKING",
        default: "true",
        about: "whether what was read has to be unchanged when it is written: true or false",
        set: |config, text| put(&mut config.locking, choice(text, &SWITCH)),
    },
    Key {
        name: "audit",
        env: "OUTLAST_AUDIT",
        default: "true",
        about: "whether who changed something and why is recorded: true or false",
        set: |config, text| put(&mut config.audit, choice(text, &SWITCH)),
    },
];

/// What becomes of state in memory: whether it is in a database, and which of it.
const MOVING: &[Key] = &[
    Key {
        name: "state_dir",
        env: "OUTLAST_STATE_DIR",
        default: ".outlast",
        about: "where it is noted which kinds are beyond memory, and where run --migrate-to can be talked to",
        set: |config, text| put(&mut config.state_dir, folder(text)),
    },
    Key {
        name: "persistence",
        env: "OUTLAST_PERSISTENCE",
        default: "true",
        about: "whether run --migrate-to opens its database at all: true or false",
        set: |config, text| put(&mut config.persistence, choice(text, &SWITCH)),
    },
    Key {
        name: "use_database",
        env: "OUTLAST_USE_DATABASE",
        default: "none",
        about: "which kinds run --migrate-to begins in its database: all, none or some, as in swarms,agents,sessions",
        set: |config, text| put(&mut config.use_database, flags(text)),
    },
];

const RECOVERY: [(&str, RecoveryPolicy); 3] = [
    ("restart", RecoveryPolicy::Restart),
    ("interrupted", RecoveryPolicy::Interrupted),
    ("failed", RecoveryPolicy::Failed),
];
/// Kinds that may be written in the plural; others are taken as they are written.
const PLURALS: [&str; 14] = [
    "agents",
    "artifacts",
    "claims",
    "commands",
    "events",
    "hosts",
    "leases",
    "logs",
    "pipelines",
    "runs",
    "sessions",
    "swarms",
    "tasks",
    "windows",
];
const SWITCH: [(&str, bool); 2] = [("true", true), ("false", false)];
const ON_IDLE: [(&str, OnIdle); 2] = [("mark", OnIdle::Mark), ("interrupt", OnIdle::Interrupt)];

impl Key {
    /// Every setting.
    pub(super) fn all() -> impl Iterator<Item = &'static Self> {
        KEYS.iter().chain(MOVING).chain(retention::KEYS)
    }

    /// The setting a file calls so.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|key| key.name == name)
    }
}

fn put<T>(place: &mut T, value: Result<T>) -> Result<()> {
    *place = value?;
    Ok(())
}

/// The table of recovery with changes to it, as `kind.state=policy`.
pub(crate) fn overrides(table: &Table, changes: &[impl AsRef<str>]) -> Result<Table> {
    changes.iter().try_fold(table.clone(), |table, change| {
        let change = change.as_ref();
        let parts = change.split_once('=').and_then(|(cell, policy)| {
            let (kind, state) = cell.trim().split_once('.')?;
            Some((kind, state, policy.trim()))
        });
        let (kind, state, policy) = parts.ok_or_else(|| {
            Error::invalid(format!("{change:?} is no KIND.STATE=POLICY, as in agent.running=keep"))
        })?;
        table.with(kind, state, policy.parse()?)
    })
}

fn recover(text: &str) -> Result<Table> {
    let changes: Vec<_> = match text {
        "none" => Vec::new(),
        text => text.split(',').collect(),
    };
    overrides(&Table::default(), &changes)
}

fn folder(text: &str) -> Result<PathBuf> {
    if text.is_empty() || text.contains('\0') {
        return Err(Error::invalid(format!("{text:?} is no path of a folder")));
    }
    Ok(PathBuf::from(text))
}

/// Kinds by name, also in the plural, as in `swarms,agents`.
fn flags(text: &str) -> Result<Flags> {
    let wanted = match text {
        "all" => return Ok(Flags::all(true)),
        "none" => return Ok(Flags::all(false)),
        text => text.split(','),
    };
    wanted.map(str::trim).try_fold(Flags::all(false), |flags, name| {
        let singular = name.strip_suffix('s').filter(|_| PLURALS.contains(&name));
        Ok(flags.with(Kind::new(singular.unwrap_or(name))?, true))
    })
}

fn count(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(count) if (1..=10_000).contains(&count) => Ok(count),
        _ => Err(Error::invalid(format!("{text:?} is no whole number from 1 to 10000"))),
    }
}

fn positive(text: &str) -> Result<Duration> {
    let duration = duration::parse(text)?;
    if duration.is_zero() {
        return Err(Error::invalid("a length of 0 would never let anything happen"));
    }
    Ok(duration)
}

fn choice<T: Copy + Debug>(text: &str, choices: &[(&str, T)]) -> Result<T> {
    let found = choices.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        Error::invalid(format!("{text:?} is none of {}", names.join(", ")))
    })
}
