//! The built program, as somebody at a terminal meets it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

mod bad_input;
mod bench;
mod configuration;
mod domain;
mod help;
mod interrupt;
mod output;
mod prune;
mod reading;
mod transfer;
mod world;
