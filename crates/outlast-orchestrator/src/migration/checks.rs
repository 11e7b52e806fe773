//! What has to hold before a move, and whether it does: a pure function over facts.

use std::time::Duration;

use serde::Serialize;

use super::Phase;

/// When a move is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// How old a clean comparison may be.
    pub fresh: Duration,
    /// How many reads must have been made again in shadow.
    pub shadow_reads: u64,
    /// How long a kind must have been live before it may be final.
    pub bake: Duration,
    /// How much may be behind for mirror to end; the rest is shipped while writes wait.
    pub behind: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            fresh: Duration::from_mins(10),
            shadow_reads: 0,
            bake: Duration::from_hours(1),
            behind: 64,
        }
    }
}

/// What is known about a kind and its surroundings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
pub struct Facts {
    /// How far it has moved.
    pub phase: Phase,
    /// The database answers.
    pub link_up: bool,
    /// Another process took it over.
    pub fenced: bool,
    /// The operator holds it.
    pub held: bool,
    /// All that memory had when mirroring began was shipped.
    pub backfilled: bool,
    /// How much is behind.
    pub behind: usize,
    /// Something of it is in doubt.
    pub in_doubt: bool,
    /// How long ago it was compared whole and clean, in this epoch.
    pub clean_age: Option<Duration>,
    /// How many reads were made again, and how many of them differed.
    pub shadow_reads: (u64, u64),
    /// The way to live and back was rehearsed in this epoch.
    pub rehearsed: bool,
    /// How long it has been in this phase.
    pub since: Duration,
    /// The least phase of the kinds it depends on.
    pub parents: Phase,
    /// The least and the greatest phase of the kinds that depend on it.
    pub children: (Phase, Phase),
    /// What the database promises is durable.
    pub durable: bool,
    /// The operator asked for exactly this, knowing that there is no way back or that something
    /// becomes unreachable.
    pub explicit: bool,
}

/// One thing that has to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// What it is now.
    pub value: String,
    /// What it has to be.
    pub threshold: String,
    /// Whether it holds.
    pub holds: bool,
}

#[allow(clippy::needless_pass_by_value)] // Values and texts alike.
fn check(name: &'static str, holds: bool, value: impl ToString, threshold: impl ToString) -> Check {
    Check { name, value: value.to_string(), threshold: threshold.to_string(), holds }
}

/// Everything that has to hold before a kind goes to a phase, each with its present value.
pub fn checks(facts: &Facts, to: Phase, thresholds: &Thresholds) -> Vec<Check> {
    use Phase::{Final, Joint, Live, Memory, Mirror, Shadow};

    let from = facts.phase;
    let mut all = vec![
        check("legal move", super::is_move(from, to), format!("{from} to {to}"), "one step"),
        check("owner", !facts.fenced, owner(facts), "this process"),
    ];
    if to > from {
        all.extend([
            check("held", !facts.held, facts.held, false),
            check("database", facts.link_up, link(facts), "up"),
            check("in doubt", !facts.in_doubt, facts.in_doubt, false),
        ]);
    }
    match (from, to) {
        (Memory, Mirror) => all.extend([
            check("database is durable", facts.durable, facts.durable, true),
            check("parents", facts.parents >= Mirror, facts.parents, "mirror"),
        ]),
        (Mirror, Shadow) => all.extend([
            check("backfill", facts.backfilled, facts.backfilled, "complete"),
            check("behind", facts.behind <= thresholds.behind, facts.behind, thresholds.behind),
            check("parents", facts.parents >= Shadow, facts.parents, "shadow"),
        ]),
        (Shadow, Joint) => {
            all.extend(verified(facts, thresholds));
            all.push(check("rehearsed", facts.rehearsed, facts.rehearsed, "in this epoch"));
            all.push(check("parents", facts.parents >= Joint, facts.parents, "joint"));
        }
        (Joint, Live) => {
            all.extend(verified(facts, thresholds));
            all.push(check("behind", facts.behind == 0, facts.behind, 0));
            all.push(check("parents", facts.parents >= Live, facts.parents, "live"));
        }
        (Live, Final) => all.extend([
            check(
                "baked",
                facts.since >= thresholds.bake,
                secs(facts.since),
                secs(thresholds.bake),
            ),
            check("mismatches", facts.shadow_reads.1 == 0, facts.shadow_reads.1, 0),
            check("children", facts.children.0 >= Live, facts.children.0, "live"),
            check("asked for", facts.explicit, facts.explicit, "--final"),
        ]),
        (Shadow | Mirror, Memory) => all.extend([
            check("children", facts.children.1 == Memory, facts.children.1, "memory"),
            check("database", facts.link_up, link(facts), "up"),
            check("asked for", facts.explicit, facts.explicit, "--drop-durability"),
        ]),
        _ => all.push(check("children", facts.children.1 <= to, facts.children.1, to)),
    }
    all
}

fn verified(facts: &Facts, thresholds: &Thresholds) -> [Check; 3] {
    let age = facts.clean_age.map_or("never".to_owned(), secs);
    let is_fresh = facts.clean_age.is_some_and(|age| age <= thresholds.fresh);
    let (compared, mismatched) = facts.shadow_reads;
    let enough = compared >= thresholds.shadow_reads;
    [
        check("clean comparison", is_fresh, age, format!("at most {}", secs(thresholds.fresh))),
        check("shadow reads", enough, compared, thresholds.shadow_reads),
        check("mismatches", mismatched == 0, mismatched, 0),
    ]
}

fn owner(facts: &Facts) -> &'static str {
    if facts.fenced { "another process" } else { "this process" }
}

fn link(facts: &Facts) -> &'static str {
    if facts.link_up { "up" } else { "away" }
}

fn secs(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}
