//! What is aimed at: each goal is a ratio of two figures of one comparison.

use super::runs::{Measured, Run};

/// Sizes of a comparison.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    naive_ops: usize,
    ops: usize,
    lone_ops: usize,
    log_lines: usize,
    recovered: usize,
    history: usize,
    held: usize,
}

impl Sizes {
    pub(super) const FULL: Self = Self {
        naive_ops: 10_000,
        ops: 200_000,
        lone_ops: 5_000,
        log_lines: 200_000,
        recovered: 1_000_000,
        history: 1_000_000,
        held: 200_000,
    };
    pub(super) const QUICK: Self = Self {
        naive_ops: 2_000,
        ops: 20_000,
        lone_ops: 500,
        log_lines: 20_000,
        recovered: 50_000,
        history: 200_000,
        held: 50_000,
    };
}

/// Which way a ratio should go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    Higher,
    Lower,
}

type Figure = fn(&Measured) -> Option<f64>;

/// What a row is made of.
pub(super) enum Source {
    /// A figure of ours over one of theirs.
    Ratio { ours: (Run, Figure), theirs: (Run, Figure) },
    /// A figure of ours alone, in milliseconds.
    Alone { ours: (Run, Figure) },
    /// Nothing yet, for this reason.
    NotYet(&'static str),
}

/// One goal.
pub(super) struct Goal {
    pub(super) id: &'static str,
    pub(super) what: &'static str,
    pub(super) bound: f64,
    pub(super) better: Better,
    pub(super) source: Source,
}

const ENTITIES: usize = 10_000;

fn per_second(measured: &Measured) -> Option<f64> {
    measured.per_second
}

fn milliseconds(measured: &Measured) -> Option<f64> {
    measured.p999_us.map(|micros| micros / 1000.0)
}

fn transition(by: &'static str, callers: usize, ops: usize) -> Run {
    Run { work: "transition", by, callers, ops, entities: ENTITIES }
}

fn other(work: &'static str, by: &'static str, ops: usize, entities: usize) -> Run {
    Run { work, by, callers: 1, ops, entities }
}

fn ratio(ours: Run, theirs: Run, figure: Figure) -> Source {
    Source::Ratio { ours: (ours, figure), theirs: (theirs, figure) }
}

fn goal(
    id: &'static str,
    what: &'static str,
    (better, bound): (Better, f64),
    source: Source,
) -> Goal {
    Goal { id, what, bound, better, source }
}

/// Every goal, in order.
pub(super) fn all(sizes: Sizes) -> Vec<Goal> {
    let mut goals = transitions(sizes);
    goals.extend(waiting(sizes));
    goals.extend(rest(sizes));
    goals
}

fn transitions(sizes: Sizes) -> Vec<Goal> {
    use Better::Higher;

    let naive = transition("naive", 64, sizes.naive_ops);
    let by = |by, callers| transition(by, callers, sizes.ops);
    let against =
        |callers, theirs| ratio(by("ours", callers), by(theirs, callers), per_second as Figure);
    vec![
        goal(
            "B1a",
            "durable transitions, SQLite, 64 callers, against naive sqlx at 64",
            (Higher, 20.0),
            ratio(by("ours", 64), naive, per_second),
        ),
        goal(
            "B1b",
            "the same with 1,024 callers, against naive at 64",
            (Higher, 45.0),
            ratio(by("ours", 1024), naive, per_second),
        ),
        goal(
            "B2a",
            "against rusqlite by hand, small audit rows, 64",
            (Higher, 1.5),
            against(64, "y1"),
        ),
        goal(
            "B2b",
            "against rusqlite by hand, full audit rows, 64",
            (Higher, 3.0),
            against(64, "y0"),
        ),
        goal("B2c", "the first of them at 1,024 callers", (Higher, 1.5), against(1024, "y1")),
        goal("B2d", "the second at 1,024 callers", (Higher, 3.0), against(1024, "y0")),
        goal(
            "B2e",
            "against itself after the first million",
            (Higher, 0.8),
            Source::NotYet("no run of over a million transitions is part of this comparison yet"),
        ),
    ]
}

fn waiting(sizes: Sizes) -> Vec<Goal> {
    use Better::{Higher, Lower};

    let naive = transition("naive", 64, sizes.naive_ops);
    let ours = transition("ours", 64, sizes.ops);
    let lone = |by| transition(by, 1, sizes.lone_ops);
    let sled = |by| transition(by, 64, sizes.ops);
    vec![
        goal(
            "B3a",
            "99th percentile of the answer at 64 callers, against naive",
            (Lower, 0.05),
            ratio(ours, naive, |measured| measured.p99_us),
        ),
        goal(
            "B3b",
            "99.9th percentile of the answer at 64 callers, in ms",
            (Lower, 25.0),
            Source::Alone { ours: (ours, milliseconds) },
        ),
        goal(
            "B3c",
            "median of the answer to a lone caller, against naive",
            (Lower, 0.9),
            ratio(lone("ours"), lone("naive"), |measured| measured.p50_us),
        ),
        goal(
            "B4a",
            "bytes written per transition at 64 callers, against rusqlite by hand, small audit rows",
            (Lower, 0.4),
            ratio(ours, transition("y1", 64, sizes.ops), Measured::bytes_each),
        ),
        goal(
            "B4b",
            "pruning, in microseconds per row",
            (Lower, 5.0),
            Source::NotYet("pruning is not part of this comparison yet"),
        ),
        goal(
            "B5",
            "durable transitions, sled, 64 callers, against a transaction and flush for each",
            (Higher, 6.0),
            ratio(sled("ours-sled"), transition("raw-sled", 64, sizes.naive_ops), per_second),
        ),
        goal(
            "B6",
            "durable transitions, PostgreSQL, 64 callers, against naive",
            (Higher, 12.0),
            Source::NotYet("there is no PostgreSQL backend yet"),
        ),
        goal(
            "B7",
            "a transition while memory is mirrored, against memory alone",
            (Lower, 1.3),
            Source::NotYet("stores cannot be mirrored yet"),
        ),
    ]
}

fn rest(sizes: Sizes) -> Vec<Goal> {
    use Better::{Higher, Lower};

    let recover = |by| other("recover", by, 1, sizes.recovered);
    let log = |by| other("log", by, sizes.log_lines, 1);
    let held = |by| other("memory", by, 1, sizes.held);
    let history = |versions| other("history", "ours", versions, 1000);
    vec![
        goal(
            "B8a",
            "reading every entity back, against a rusqlite scan into a map",
            (Higher, 1.0),
            ratio(recover("ours"), recover("scan"), per_second),
        ),
        goal(
            "B8b",
            "the same against a sqlx row stream",
            (Higher, 2.5),
            ratio(recover("ours"), recover("stream"), per_second),
        ),
        goal(
            "B9",
            "history of one entity, among ten times as many versions",
            (Lower, 1.25),
            ratio(history(sizes.history), history(sizes.history / 10), |measured| measured.p50_us),
        ),
        goal(
            "B10a",
            "lines of output per second, durable, against multi-row inserts",
            (Higher, 3.0),
            ratio(log("ours"), log("rows"), per_second),
        ),
        goal(
            "B10b",
            "bytes written per line, against the same",
            (Lower, 0.15),
            ratio(log("ours"), log("rows"), Measured::bytes_each),
        ),
        goal(
            "B10c",
            "lines of output per second, against appending to a file and syncing it",
            (Higher, 0.55),
            ratio(log("ours"), log("file"), per_second),
        ),
        goal(
            "B11",
            "transitions by typed handles, against batches made by hand",
            (Higher, 0.9),
            ratio(transition("ours", 64, sizes.ops), transition("bare", 64, sizes.ops), per_second),
        ),
        goal(
            "B12",
            "memory per live entity of a store in memory, against a bare map",
            (Lower, 1.5),
            ratio(held("ours"), held("map"), Measured::bytes_each),
        ),
    ]
}
