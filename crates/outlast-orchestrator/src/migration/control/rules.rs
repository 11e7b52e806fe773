//! Rules that a test can switch off, to see that the model checker misses each of them.
//!
//! Without the feature `mutants` none can be.

#[cfg(feature = "mutants")]
use std::sync::atomic::{AtomicU64, Ordering};

/// The rule that is switched off in this process; 0 for none.
#[cfg(feature = "mutants")]
static OFF: AtomicU64 = AtomicU64::new(0);

/// Switches a rule off, in the whole process, and every other on.
#[cfg(feature = "mutants")]
pub fn without(rule: &str) {
    OFF.store(number(rule), Ordering::SeqCst);
}

/// Switches every rule on.
#[cfg(feature = "mutants")]
pub fn mend_rules() {
    OFF.store(0, Ordering::SeqCst);
}

/// Whether a rule is switched off.
#[cfg(feature = "mutants")]
pub(crate) fn broken(rule: &str) -> bool {
    let off = OFF.load(Ordering::Relaxed);
    off != 0 && off == number(rule)
}

/// Whether a rule is switched off.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn broken(_rule: &str) -> bool {
    false
}

#[cfg(feature = "mutants")]
fn number(rule: &str) -> u64 {
    let add = |sum: u64, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    rule.bytes().fold(0xcbf2_9ce4_8422_2325, add)
}
