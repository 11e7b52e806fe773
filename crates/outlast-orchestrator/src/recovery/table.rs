//! What recovery does about every state of every kind: one table, and nothing besides it.

use std::collections::BTreeMap;
use std::str::FromStr;

use outlast_core::{
    AgentStatus, CommandStatus, Error, PipelineStatus, Result, SessionStatus, Status, SwarmStatus,
    TaskStatus, WindowStatus,
};

use super::policy::Policy::{
    self, Activate, Deadline, Fail, Interrupt, Keep, Orphan, Own, Requeue, Restart, Resume, Skip,
};

/// Kind, policy, and the states that have it. The two kinds of window stand for themselves.
const DEFAULTS: &[(&str, Policy, &[&str])] = &[
    ("swarm", Activate, &["creating", "scaling"]),
    ("swarm", Keep, &["active", "paused"]),
    ("swarm", Skip, &["completed", "failed", "destroyed"]),
    ("agent", Fail, &["spawning", "running"]),
    ("agent", Keep, &["pending", "paused", "blocked", "retrying"]),
    ("agent", Skip, &["completed", "failed", "killed"]),
    ("session", Keep, &["open"]),
    ("session", Skip, &["closed"]),
    ("command", Keep, &["queued"]),
    ("command", Orphan, &["pending", "validating"]),
    ("command", Orphan, &["executing", "running_warning", "timeout_pending", "killing"]),
    ("command", Deadline, &["awaiting_reconnect"]),
    ("command", Skip, &["blocked", "success", "error", "timeout", "skipped", "cancelled"]),
    ("command", Skip, &["killed", "partial", "stale_binary", "suspicious", "orphaned"]),
    ("pipeline", Keep, &["idle"]),
    ("pipeline", Own, &["running"]),
    ("pipeline", Skip, &["complete", "partial", "failed", "cancelled", "orphaned"]),
    ("task", Keep, &["created"]),
    ("task", Own, &["running", "idle"]),
    ("task", Skip, &["interrupted", "completed", "failed"]),
    ("join", Deadline, &["waiting"]),
    ("join", Resume, &["dispatching"]),
    ("join", Keep, &["orphaned"]),
    ("join", Skip, &["completed", "flushed", "expired", "dead_letter", "cancelled"]),
    ("batch", Deadline, &["waiting"]),
    ("batch", Resume, &["dispatching"]),
    ("batch", Keep, &["orphaned"]),
    ("batch", Skip, &["completed", "flushed", "expired", "dead_letter", "cancelled"]),
];

/// Kind, policy, and the states that the policy may lead to. What is not here means nothing for
/// the kind.
const MOVES: &[(&str, Policy, &[&str])] = &[
    ("swarm", Keep, &[]),
    ("swarm", Activate, &["active"]),
    ("swarm", Fail, &["failed"]),
    ("agent", Keep, &[]),
    ("agent", Fail, &["failed"]),
    ("session", Keep, &[]),
    ("command", Keep, &[]),
    ("command", Orphan, &["orphaned"]),
    ("command", Requeue, &["queued", "orphaned"]),
    ("command", Deadline, &["timeout"]),
    ("pipeline", Keep, &[]),
    ("pipeline", Orphan, &["orphaned"]),
    ("pipeline", Own, &["orphaned"]),
    ("task", Keep, &[]),
    ("task", Own, &["interrupted", "failed"]),
    ("task", Interrupt, &["interrupted"]),
    ("task", Restart, &["interrupted"]),
    ("task", Fail, &["failed"]),
    ("join", Keep, &[]),
    ("join", Resume, &[]),
    ("join", Deadline, &["expired"]),
    ("join", Orphan, &["orphaned"]),
    ("batch", Keep, &[]),
    ("batch", Resume, &[]),
    ("batch", Deadline, &["dispatching"]),
    ("batch", Orphan, &["orphaned"]),
];

/// What recovery does about every state of every kind, as configured.
///
/// The kinds are `swarm`, `agent`, `session`, `command`, `pipeline`, `task`, and the two kinds of
/// window, `join` and `batch`.
///
/// ```
/// use outlast_orchestrator::recovery::{Policy, Table};
///
/// let table = Table::default().with("agent", "running", Policy::Keep)?;
/// assert_eq!(table.policy("agent", "running"), Some(Policy::Keep));
///
/// let same: Table = "# our agents live elsewhere\nagent.running = keep".parse()?;
/// assert_eq!(same, table);
/// assert!("agent.running = orphan".parse::<Table>().is_err());
/// # Ok::<(), outlast_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    cells: BTreeMap<(&'static str, &'static str), Policy>,
}

impl Default for Table {
    fn default() -> Self {
        let rows = DEFAULTS.iter();
        let cells = rows.flat_map(|(kind, policy, states)| {
            states.iter().map(move |state| ((*kind, *state), *policy))
        });
        Self { cells: cells.collect() }
    }
}

impl Table {
    /// Every cell: kind, state, policy.
    pub fn cells(&self) -> impl Iterator<Item = (&'static str, &'static str, Policy)> + '_ {
        self.cells.iter().map(|((kind, state), policy)| (*kind, *state, *policy))
    }

    /// What is done about entities of a kind in a state; `None` for a kind or state there is none
    /// of.
    pub fn policy(&self, kind: &str, state: &str) -> Option<Policy> {
        self.cells().find(|cell| (cell.0, cell.1) == (kind, state)).map(|cell| cell.2)
    }

    /// The same with another policy in one cell.
    ///
    /// `Invalid`, naming what there is, for an unknown kind or state, and for a policy that means
    /// nothing there or would be a move that the kind's machine does not allow.
    pub fn with(mut self, kind: &str, state: &str, policy: Policy) -> Result<Self> {
        let cell = self.cell(kind, state)?;
        if !is_legal(cell, policy) {
            let legal = Policy::ALL.iter().filter(|policy| is_legal(cell, **policy));
            let legal: Vec<_> = legal.map(|policy| policy.as_str()).collect();
            return Err(Error::invalid(format!(
                "recovery of {kind}.{state} cannot be {policy}; it can be {}",
                legal.join(", ")
            )));
        }
        self.cells.insert(cell, policy);
        Ok(self)
    }

    /// The kind as it is written here; `Invalid`, naming what there is, if it is not.
    pub(super) fn kind(&self, kind: &str) -> Result<&'static str> {
        let known = self.cells.keys().find(|cell| cell.0 == kind);
        known.map(|cell| cell.0).ok_or_else(|| {
            let mut kinds: Vec<_> = self.cells.keys().map(|cell| cell.0).collect();
            kinds.dedup();
            let kinds = kinds.join(", ");
            Error::invalid(format!("recovery knows no kind {kind:?}, only {kinds}"))
        })
    }

    fn cell(&self, kind: &str, state: &str) -> Result<(&'static str, &'static str)> {
        let kind = self.kind(kind)?;
        let states = self.cells.keys().filter(|cell| cell.0 == kind).map(|cell| cell.1);
        let known = states.clone().find(|known| *known == state);
        known.map(|state| (kind, state)).ok_or_else(|| {
            let states: Vec<_> = states.collect();
            let states = states.join(", ");
            Error::invalid(format!("{kind} has no state {state:?}, only {states}"))
        })
    }
}

/// Lines of `kind.state = policy`, each a change to the defaults. Empty lines, and what follows a
/// `#`, mean nothing.
impl FromStr for Table {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        lines.filter(|line| !line.is_empty()).try_fold(Self::default(), |table, line| {
            let parts = line.split_once('=').and_then(|(cell, policy)| {
                let (kind, state) = cell.trim().split_once('.')?;
                Some((kind, state, policy.trim()))
            });
            let (kind, state, policy) = parts.ok_or_else(|| {
                Error::invalid(format!("{line:?} is not of the form kind.state = policy"))
            })?;
            table.with(kind, state, policy.parse()?)
        })
    }
}

/// Whether a policy means something in a cell and leads to no move that the machine does not have.
fn is_legal((kind, state): (&str, &str), policy: Policy) -> bool {
    if is_settled(kind, state) {
        return policy == Skip;
    }
    let moves = MOVES.iter().find(|(of, by, _)| *of == kind && *by == policy);
    moves.is_some_and(|(.., targets)| targets.iter().all(|to| can_become(kind, state, to)))
}

fn is_settled(kind: &str, state: &str) -> bool {
    fn settled<S: Status>(state: &str) -> bool {
        S::parse(state).is_ok_and(Status::is_settled)
    }
    match kind {
        "swarm" => settled::<SwarmStatus>(state),
        "agent" => settled::<AgentStatus>(state),
        "session" => settled::<SessionStatus>(state),
        "command" => settled::<CommandStatus>(state),
        "pipeline" => settled::<PipelineStatus>(state),
        "task" => settled::<TaskStatus>(state),
        _ => settled::<WindowStatus>(state),
    }
}

fn can_become(kind: &str, from: &str, to: &str) -> bool {
    fn legal<S: Status>(from: &str, to: &str) -> bool {
        S::parse(from).is_ok_and(|from| S::parse(to).is_ok_and(|to| from.can_become(to)))
    }
    match kind {
        "swarm" => legal::<SwarmStatus>(from, to),
        "agent" => legal::<AgentStatus>(from, to),
        "session" => legal::<SessionStatus>(from, to),
        "command" => legal::<CommandStatus>(from, to),
        "pipeline" => legal::<PipelineStatus>(from, to),
        "task" => legal::<TaskStatus>(from, to),
        _ => legal::<WindowStatus>(from, to),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check_machine<S: Status>(kind: &str) {
        let rows = DEFAULTS.iter().filter(|row| row.0 == kind);
        let listed: Vec<_> = rows.flat_map(|row| row.2).copied().collect();
        let states: BTreeSet<_> = S::ALL.iter().map(|state| state.as_str()).collect();
        assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), states, "{kind}");
        assert_eq!(listed.len(), states.len(), "{kind} has a state twice");
    }

    #[test]
    fn every_state_of_every_machine_has_exactly_one_cell() {
        check_machine::<SwarmStatus>("swarm");
        check_machine::<AgentStatus>("agent");
        check_machine::<SessionStatus>("session");
        check_machine::<CommandStatus>("command");
        check_machine::<PipelineStatus>("pipeline");
        check_machine::<TaskStatus>("task");
        check_machine::<WindowStatus>("join");
        check_machine::<WindowStatus>("batch");
        let kinds: BTreeSet<_> = DEFAULTS.iter().map(|row| row.0).collect();
        assert_eq!(kinds.len(), 8);
    }

    #[test]
    fn every_default_is_legal() {
        for (kind, state, policy) in Table::default().cells() {
            assert!(is_legal((kind, state), policy), "{kind}.{state} = {policy}");
        }
    }

    #[test]
    fn every_named_target_is_a_state_of_its_kind() {
        for (kind, policy, targets) in MOVES {
            for target in *targets {
                assert!(
                    Table::default().policy(kind, target).is_some(),
                    "{kind} {policy} {target}"
                );
            }
        }
    }
}
