//! Every legal move of every kind, written out a second time, so that a slip in the first table
//! does not go unnoticed. `from > to ...`; behind `+` stand moves that are reserved for an
//! operation meant for them; `*` marks what recovery and retention treat as over.

pub(crate) const SWARM: &str = "
    creating > active failed destroyed
    active > scaling paused completed failed destroyed
    scaling > active paused failed destroyed
    paused > active completed failed destroyed
    completed* > destroyed
    failed* > destroyed
    destroyed* >
";

pub(crate) const AGENT: &str = "
    pending > spawning running failed killed
    spawning > running failed killed
    running > paused blocked retrying completed failed killed
    paused > running failed killed
    blocked > running failed killed
    retrying > spawning running paused failed killed
    failed* > + retrying pending
    completed* >
    killed* >
";

pub(crate) const SESSION: &str = "
    open > closed
    closed* >
";

pub(crate) const TASK: &str = "
    created > running interrupted failed
    running > idle interrupted completed failed
    idle > running interrupted completed failed
    interrupted* >
    completed* >
    failed* >
";

pub(crate) const COMMAND: &str = "
    queued > pending cancelled timeout
    pending > validating skipped cancelled orphaned + queued
    validating > executing blocked error cancelled orphaned + queued
    executing > running_warning awaiting_reconnect killing success error partial skipped orphaned
    running_warning > executing timeout_pending awaiting_reconnect killing success error partial skipped orphaned
    timeout_pending > executing killing success error partial skipped orphaned
    killing > killed success error orphaned
    awaiting_reconnect > success suspicious stale_binary timeout
    orphaned* > + success error
    blocked* >
    success* >
    error* >
    timeout* >
    skipped* >
    cancelled* >
    killed* >
    partial* >
    stale_binary* >
    suspicious* >
";

pub(crate) const PIPELINE: &str = "
    idle > running cancelled
    running > complete partial failed cancelled orphaned
    complete* >
    partial* >
    failed* >
    cancelled* >
    orphaned* >
";

pub(crate) const STAGE: &str = "
    pending > running failed skipped cancelled
    running > success failed cancelled + pending
    success* >
    failed* >
    skipped* >
    cancelled* >
";

pub(crate) const HOST: &str = "
    online > offline running error unknown
    offline > online running error unknown
    running > online offline error unknown
    error > online offline running unknown
    unknown > online offline running error
";

pub(crate) const WINDOW: &str = "
    waiting > dispatching expired orphaned cancelled + completed
    dispatching > completed flushed dead_letter
    orphaned > waiting cancelled
    expired* >
    completed* >
    flushed* >
    dead_letter* >
    cancelled* >
";

/// One line of a table.
pub(crate) struct Row {
    pub(crate) from: &'static str,
    pub(crate) is_settled: bool,
    pub(crate) plain: Vec<&'static str>,
    pub(crate) reserved: Vec<&'static str>,
}

pub(crate) fn rows(table: &'static str) -> Vec<Row> {
    let lines = table.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (from, to) = line.split_once('>').unwrap();
            let (plain, reserved) = to.split_once('+').unwrap_or((to, ""));
            Row {
                from: from.trim().trim_end_matches('*'),
                is_settled: from.trim().ends_with('*'),
                plain: plain.split_whitespace().collect(),
                reserved: reserved.split_whitespace().collect(),
            }
        })
        .collect()
}
