//! Every rule, switched off: the model has to miss it.

use std::sync::PoisonError;

use outlast_orchestrator::migration::Phase::{self, Live, Memory, Mirror, Shadow};

use crate::explore::{explore, left, scene};
use crate::rules::{TURN, without};
use crate::state::Left;

/// A rule, where to look for what becomes of it, and with how many operations and moves.
type Mutant = (&'static str, [Phase; 2], u8, u8);

const MUTANTS: &[Mutant] = &[
    // Let a write arrive whatever was committed since it was sent.
    ("noguard", [Shadow, Memory], 2, 0),
    // Forgot what memory took alone.
    ("nodirty", [Mirror, Memory], 1, 0),
    // Started where a flag says, not the ledger.
    ("stalecfg", [Live, Memory], 0, 0),
    // Never looked at the rows of the ledger.
    ("nofence", [Shadow, Memory], 2, 0),
    // Copied first, and mirrored from then on.
    ("bf_first", [Memory, Memory], 1, 1),
    // Deleted without a tombstone.
    ("notomb", [Shadow, Memory], 1, 0),
    // Promised durability in mirror.
    ("acklie", [Mirror, Memory], 1, 0),
    // Left memory behind while live.
    ("noreverse", [Live, Memory], 1, 0),
    // Went from shadow to live at once.
    ("nojoint", [Shadow, Memory], 0, 1),
    // Took a write that the database may have for one it has not.
    ("nosettle", [Shadow, Memory], 2, 0),
    // Wrote memory before the database.
    ("near_first", [Shadow, Memory], 1, 0),
    // Took what is on its way for arrived.
    ("clears_early", [Mirror, Memory], 1, 0),
    ("ignores_shipping", [Mirror, Memory], 1, 0),
    // Let what was planned while the database was there be written when it is not.
    ("stale_terms", [Shadow, Memory], 2, 0),
    // Forgot to tell the ledger of a move made without it.
    ("forgets_owed", [Live, Memory], 1, 1),
    // Wrote what is in doubt.
    ("writes_in_doubt", [Shadow, Memory], 2, 0),
    // Held of a batch in doubt what was sent of it only.
    ("holds_sent_only", [Shadow, Memory], 3, 0),
    // Settled without making sure that nothing is under way.
    ("settles_unfenced", [Shadow, Memory], 2, 0),
    // Went on after bringing copies up to date, whatever happened meanwhile.
    ("cleaned_unchecked", [Shadow, Memory], 2, 0),
    // Sent to the database what is not behind at that moment.
    ("sends_by_behind", [Shadow, Memory], 1, 0),
    // Took for sent what is not behind at the end.
    ("marks_by_behind", [Shadow, Mirror], 2, 0),
    // Knew the last commit without having looked at the rows.
    ("caches_unchecked", [Shadow, Mirror], 1, 0),
    // Sent what was decided before another process took over.
    ("sends_late", [Shadow, Mirror], 2, 0),
    // Moved forwards by what was last known of a database that is away.
    ("moves_away", [Memory, Shadow], 1, 1),
    // Took a backfill of a lineage that was left for one of the present one.
    ("fills_any_lineage", [Memory, Memory], 0, 3),
    // Promised for a repeated commit what a new one would be given.
    ("repeats_as_new", [Shadow, Memory], 1, 0),
    // Took its own row for that of another process.
    ("fences_itself", [Shadow, Memory], 0, 1),
];

/// Rules whose absence is far from the start: little is left of everything else.
const DEEP: &[(&str, [Phase; 2], Left)] = &[
    // Left in place what a kind had when it left, unless it is newer than memory.
    ("quarnewer", [Shadow, Memory], Left { ops: 1, moves: 3, crashes: 1, ..NOTHING }),
    // Left in place what a kind had when it left.
    ("noquar", [Shadow, Memory], Left { ops: 0, moves: 3, crashes: 1, ..NOTHING }),
];

const NOTHING: Left =
    Left { ops: 0, moves: 0, crashes: 0, outages: 0, doubts: 0, thefts: 0, repairs: 0 };

#[test]
fn every_rule_is_missed_when_it_is_switched_off() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut survivors = Vec::new();
    let usual =
        MUTANTS.iter().map(|(rule, phases, ops, moves)| (rule, phases, left(*ops, *moves, 1)));
    let deep = DEEP.iter().map(|(rule, phases, left)| (rule, phases, *left));
    for (rule, phases, left) in usual.chain(deep) {
        without(Some(rule));
        let found = explore(scene(*phases, left), 2_000_000, 2);
        without(None);
        let states = found.states;
        match found.violation {
            Some((what, trace)) => {
                println!("{rule:18} {states:8} states, {:2} steps: {what}", trace.len());
                println!("    {}", trace.join(", "));
            }
            None => survivors.push((rule, states, found.whole)),
        }
    }
    assert!(survivors.is_empty(), "the model does not miss these rules: {survivors:?}");
}
