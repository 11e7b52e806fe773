//! The settings of retention: one row each.

use std::str::FromStr;
use std::time::Duration;

use outlast::{Error, Result};

use super::Config;
use super::key::Key;
use crate::duration;

macro_rules! ages {
    ($($name:literal, $env:literal, $default:literal, $what:literal, $about:literal;)*) => {
        /// How old what gets, and how much of what is kept.
        pub(super) const KEYS: &[Key] = &[
            $(Key {
                name: $name,
                env: $env,
                default: $default,
                about: concat!("how old ", $about, " get before prune removes them, or never"),
                set: |config, text| keep(config, $what, text),
            },)*
            Key {
                name: "retention.checkpoints",
                env: "OUTLAST_RETENTION_CHECKPOINTS",
                default: "10",
                about: "how many checkpoints of one entity prune leaves, the newest",
                set: |config, text| {
                    config.retention.checkpoints = number(text)?;
                    Ok(())
                },
            },
            Key {
                name: "retention.log_bytes",
                env: "OUTLAST_RETENTION_LOG_BYTES",
                default: "1073741824",
                about: "how many bytes of output of one task or command prune leaves, or never",
                set: |config, text| {
                    config.retention.log_bytes = bound(text)?;
                    Ok(())
                },
            },
            Key {
                name: "retention.log_entries",
                env: "OUTLAST_RETENTION_LOG_ENTRIES",
                default: "1000000",
                about: "how many entries of it prune leaves, or never",
                set: |config, text| {
                    config.retention.log_entries = bound(text)?;
                    Ok(())
                },
            },
        ];
    };
}

ages! {
    "retention.swarms", "OUTLAST_RETENTION_SWARMS", "24h", "swarm", "swarms that are over";
    "retention.agents", "OUTLAST_RETENTION_AGENTS", "24h", "agent", "agents that are over";
    "retention.sessions", "OUTLAST_RETENTION_SESSIONS", "24h", "session", "closed sessions";
    "retention.commands", "OUTLAST_RETENTION_COMMANDS", "30d", "command", "settled commands";
    "retention.pipelines", "OUTLAST_RETENTION_PIPELINES", "30d", "pipeline", "settled pipelines";
    "retention.windows", "OUTLAST_RETENTION_WINDOWS", "7d", "window", "joins and batches that are over";
    "retention.artifacts", "OUTLAST_RETENTION_ARTIFACTS", "7d", "artifact", "artifacts";
    "retention.consumptions", "OUTLAST_RETENTION_CONSUMPTIONS", "7d", "consumption", "records of consumption";
    "retention.events", "OUTLAST_RETENTION_EVENTS", "7d", "event", "events";
    "retention.commits", "OUTLAST_RETENTION_COMMITS", "7d", "commit", "names of commits nothing is left of";
    "retention.tasks", "OUTLAST_RETENTION_TASKS", "30d", "run", "settled tasks";
    "retention.logs", "OUTLAST_RETENTION_LOGS", "30d", "log", "pieces of output of what stays";
}

/// What is not limited.
const NEVER: &str = "never";

fn keep(config: &mut Config, what: &str, text: &str) -> Result<()> {
    let age: Option<Duration> = match text {
        NEVER => None,
        text => Some(duration::parse(text)?),
    };
    config.retention = config.retention.clone().with_age(what, age)?;
    Ok(())
}

fn bound(text: &str) -> Result<Option<u64>> {
    if text == NEVER { Ok(None) } else { number(text).map(Some) }
}

fn number<T: FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::invalid(format!("{text:?} is no whole number in bounds")))
}
