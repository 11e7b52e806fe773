//! Bugs that are there on purpose, so that the laboratory can show that it finds them.
//!
//! Without the cargo feature `planted` there are none: the question is answered when the program
//! is compiled, and what a bug would do is left out.

/// Whether this bug is to be there: the one that the variable `OUTLAST_PLANTED` names.
#[cfg(feature = "planted")]
pub fn planted(bug: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("OUTLAST_PLANTED").ok()).as_deref() == Some(bug)
}

/// Whether this bug is to be there. It never is.
#[cfg(not(feature = "planted"))]
#[inline]
pub const fn planted(_bug: &str) -> bool {
    false
}
