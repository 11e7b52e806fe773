//! Hosts, the commands that run on them, and pipelines of commands.

pub mod pipeline;
