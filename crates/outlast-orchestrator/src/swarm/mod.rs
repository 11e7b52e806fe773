//! Swarms, agents and sessions.
