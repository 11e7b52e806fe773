//! What can be done, as arguments.

use std::path::{PathBuf, absolute};

use clap::Subcommand;
use outlast::migration::Phase;
use outlast::{Error, Kind, Result};

use crate::control::{Dropped, Order, Quarantine};
use crate::target;

#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Show where each kind stands, what that means, and what to do next
    ///
    /// With --json: {"database", "away": why it does not answer, or null, "away_since", "behind":
    /// acknowledged changes that are in memory only, "gaps", "shipped", "volatile_acks":
    /// given while the database was away, "fenced_writes", "kinds":
    /// [{"kind", "phase", "desired", "epoch", "lineage", "truth": memory, database or both,
    /// "since", "durability", "policy", "behind", "backfilled", "clean_age_s", "shadow_reads":
    /// {"compared", "mismatched"}, "rollback_ready", "held", "fenced", "in_doubt", "stuck":
    /// [what cannot be shipped], "moves": [{"kind", "from", "to", "epoch", "at", "held_us",
    /// "flip_us"}], "next"}]}.
    Status,

    /// Show the steps that advance would make, with what has to hold for each; nothing is done
    ///
    /// With --json: {"plans": [{"kind", "phase", "steps": [{"from", "to", "work", "checks":
    /// [{"name", "value", "threshold", "holds", "seen_to": whether advance itself sees to it}]}],
    /// "ready", "next"}]}.
    Plan {
        /// The kind, as in task; all of them when absent
        #[arg(value_parser = target::kind)]
        kind: Option<Kind>,
    },

    /// Show each thing that has to hold before the next step, with its value and threshold
    ///
    /// Exits with 4 if something does not hold. With --json: {"checked": [{"kind", "phase", "to",
    /// "checks": [{"name", "value", "threshold", "holds"}], "holds", "next"}]}.
    Check {
        /// The kind, as in task; all of them when absent
        #[arg(value_parser = target::kind)]
        kind: Option<Kind>,
        /// Before this step instead of the next
        #[arg(long, value_name = "PHASE")]
        to: Option<Phase>,
        /// Also before the step to final
        #[arg(long = "final")]
        last: bool,
    },

    /// Move forwards step by step, filling, comparing and rehearsing as each step needs
    ///
    /// With --json: {"moves": [{"kind", "from", "to", "epoch", "at", "held_us": how long writes
    /// waited, "flip_us"}], "kinds"}.
    Advance {
        /// The kind, as in task; all of them when absent
        #[arg(value_parser = target::kind)]
        kind: Option<Kind>,
        /// As far as here: mirror, shadow, joint, live or final [default: live]
        #[arg(long, value_name = "PHASE")]
        to: Option<Phase>,
        /// To final, from which there is no way back
        #[arg(long = "final", conflicts_with = "to")]
        last: bool,
    },

    /// Move back, at once and whatever the database does; out of it only if that is meant
    ///
    /// With --json: {"moves": as of advance, "unreachable": [{"kind", "entities", "versions",
    /// "streams"}] that nothing serves any more once a kind left the database, "export": the file,
    /// or null, "kinds"}.
    Rollback {
        /// The kind, as in task; all of them when absent
        #[arg(value_parser = target::kind)]
        kind: Option<Kind>,
        /// As far as here: shadow, mirror or memory [default: shadow]
        #[arg(long, value_name = "PHASE")]
        to: Option<Phase>,
        /// Leave the database: what is written from then on is in memory only
        #[arg(long)]
        drop_durability: bool,
        /// Before, write everything the database has to this file
        #[arg(long, value_name = "FILE", requires = "drop_durability")]
        export: Option<PathBuf>,
        /// Let go of what the database has; it is set aside, see quarantine
        #[arg(long, requires = "drop_durability", conflicts_with = "export")]
        discard: bool,
    },

    /// Keep a kind from going forwards
    ///
    /// With --json: {"kind", "held": the reason, "kinds"}.
    Hold {
        /// The kind, as in task
        #[arg(value_parser = target::kind)]
        kind: Kind,
        /// Why
        #[arg(long)]
        reason: String,
    },

    /// Let it go forwards again
    ///
    /// With --json: {"kind", "held": null, "kinds"}.
    Resume {
        /// The kind, as in task
        #[arg(value_parser = target::kind)]
        kind: Kind,
    },

    /// Compare both stores whole, while they are used
    ///
    /// Exits with 6 if something differs that was not repaired. With --json: {"compared":
    /// [{"kind", "entities", "versions", "entries", "mismatches": [{"key", "class", "memory",
    /// "database"}], "mismatched", "repaired", "deferred": what could not be judged, "clean"}],
    /// "kinds"}.
    Diff {
        /// The kind, as in task; all of them when absent
        #[arg(value_parser = target::kind)]
        kind: Option<Kind>,
        /// Bring what differs into line
        #[arg(long)]
        repair: bool,
    },

    /// List, take back or remove what kinds left in the database when they went back to memory
    Quarantine {
        #[command(subcommand)]
        what: Set,
    },

    /// Try the way to live and back with an entity that nobody needs
    ///
    /// With --json: {"rehearsed": [{"kind", "live_us", "back_us": how long writes waited}],
    /// "kinds"}.
    Rehearse {
        /// The kind, as in task; all of them when absent
        #[arg(value_parser = target::kind)]
        kind: Option<Kind>,
    },

    /// Show where ledger, state directory and settings do not say the same
    ///
    /// Exits with 4 if they do not. With --json: {"findings": [{"kind", "finding", "command"}]}.
    Doctor,
}

#[derive(Debug, Subcommand)]
pub(super) enum Set {
    /// Show what was set aside
    ///
    /// With --json: {"quarantined": [{"kind", "lineage", "entities", "streams"}]}.
    List,
    /// Take it over, where it is newer than what there is or nothing is there
    ///
    /// With --json: {"kind", "lineage", "done", "kept": what was left, since something else is
    /// there, "kinds"}.
    Adopt {
        /// The kind, as in task
        #[arg(value_parser = target::kind)]
        kind: Kind,
        /// Which of what it left, as quarantine list shows it
        lineage: u16,
    },
    /// Remove it
    ///
    /// With --json as of adopt.
    Purge {
        /// The kind, as in task
        #[arg(value_parser = target::kind)]
        kind: Kind,
        /// Which of what it left, as quarantine list shows it
        lineage: u16,
    },
}

impl Act {
    /// What to have carried out. `Invalid` for arguments that do not go together.
    pub(super) fn order(&self) -> Result<Order> {
        Ok(match self {
            Self::Status => Order::Status,
            Self::Plan { kind } => Order::Plan { kind: kind.clone() },
            Self::Check { kind, to, last } => {
                Order::Check { kind: kind.clone(), to: *to, last: *last }
            }
            Self::Advance { kind, to, last } => {
                let most = if *last { Phase::Final } else { Phase::Live };
                let to = to.unwrap_or(most);
                if to == Phase::Memory || (to == Phase::Final && !last) {
                    let other = if to == Phase::Final { "--final" } else { "rollback" };
                    return Err(Error::invalid(format!("--to {to} is written {other}")));
                }
                Order::Advance { kind: kind.clone(), to, last: *last }
            }
            Self::Rollback { kind, to, drop_durability, export, discard } => {
                rollback(kind.as_ref(), *to, *drop_durability, export.as_ref(), *discard)?
            }
            Self::Hold { kind, reason } => {
                Order::Hold { kind: kind.clone(), reason: reason.clone() }
            }
            Self::Resume { kind } => Order::Resume { kind: kind.clone() },
            Self::Diff { kind, repair } => Order::Diff { kind: kind.clone(), repair: *repair },
            Self::Quarantine { what } => Order::Quarantine(match what {
                Set::List => Quarantine::List,
                Set::Adopt { kind, lineage } => {
                    Quarantine::Adopt { kind: kind.clone(), lineage: *lineage }
                }
                Set::Purge { kind, lineage } => {
                    Quarantine::Purge { kind: kind.clone(), lineage: *lineage }
                }
            }),
            Self::Rehearse { kind } => Order::Rehearse { kind: kind.clone() },
            Self::Doctor => Order::Doctor,
        })
    }
}

fn rollback(
    kind: Option<&Kind>,
    to: Option<Phase>,
    drops: bool,
    export: Option<&PathBuf>,
    discard: bool,
) -> Result<Order> {
    let to = to.unwrap_or(if drops { Phase::Memory } else { Phase::Shadow });
    let drop = match (to, drops, export) {
        (Phase::Memory, true, Some(file)) => {
            // The process that is asked may be in another folder.
            Some(Dropped::Export(absolute(file).unwrap_or_else(|_| file.clone())))
        }
        (Phase::Memory, true, None) if discard => Some(Dropped::Discard),
        (Phase::Memory, true, None) => {
            return Err(Error::invalid(
                "--drop-durability needs --export FILE, which keeps what the database has, or \
                 --discard",
            ));
        }
        (Phase::Memory, false, _) => {
            return Err(Error::invalid(
                "in memory nothing is durable: say --drop-durability, with --export FILE or \
                 --discard",
            ));
        }
        (Phase::Mirror | Phase::Shadow, false, _) => None,
        (Phase::Mirror | Phase::Shadow, true, _) => {
            return Err(Error::invalid("--drop-durability goes with --to memory"));
        }
        _ => {
            return Err(Error::invalid(format!(
                "--to {to} is no way back; there are shadow, mirror and memory"
            )));
        }
    };
    Ok(Order::Rollback { kind: kind.cloned(), to, drop })
}
