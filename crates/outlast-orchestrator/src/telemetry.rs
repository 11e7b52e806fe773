//! The names under which the engines count what they do, for the recorder of the `metrics` crate
//! that the program around them installed. Names are stable; without a recorder, nothing is
//! counted and nothing is paid.

/// Recoveries that were carried out.
pub const RECOVERIES: &str = "outlast_recoveries_total";
/// Agents that were escalated to their next model.
pub const AGENT_ESCALATIONS: &str = "outlast_agent_escalations_total";
/// Agents that were handed over to be tried again when their time had come.
pub const AGENT_RETRIES: &str = "outlast_agent_retries_total";
