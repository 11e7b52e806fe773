//! Rules of the model's own part that can be switched off, beside those of the production code.

#[cfg(feature = "mutants")]
use std::sync::Mutex;

#[cfg(feature = "mutants")]
use outlast_orchestrator::migration::control;

#[cfg(feature = "mutants")]
static OFF: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// One exploration at a time: which rule is off counts for the whole process.
#[cfg(feature = "mutants")]
pub(crate) static TURN: Mutex<()> = Mutex::new(());

#[cfg(feature = "mutants")]
fn number(rule: &str) -> u64 {
    rule.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(131).wrapping_add(u64::from(byte)))
}

/// Switches one rule off, wherever it is.
#[cfg(feature = "mutants")]
pub(crate) fn without(rule: Option<&str>) {
    OFF.store(rule.map_or(0, number), std::sync::atomic::Ordering::SeqCst);
    match rule {
        Some(rule) => control::without(rule),
        None => control::mend_rules(),
    }
}

#[cfg(feature = "mutants")]
pub(crate) fn broken(rule: &str) -> bool {
    let off = OFF.load(std::sync::atomic::Ordering::Relaxed);
    off != 0 && off == number(rule)
}

#[cfg(not(feature = "mutants"))]
pub(crate) const fn broken(_rule: &str) -> bool {
    false
}
