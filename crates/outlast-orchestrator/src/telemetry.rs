//! The names under which the engines count what they do, for the recorder of the `metrics` crate
//! that the program around them installed. Names are stable; without a recorder, nothing is
//! counted and nothing is paid.

/// Recoveries that were carried out.
pub const RECOVERIES: &str = "outlast_recoveries_total";
