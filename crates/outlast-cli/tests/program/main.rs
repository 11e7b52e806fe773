//! The built program, as somebody at a terminal meets it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

mod acting;
mod bad_input;
mod bench;
mod configuration;
mod control;
mod copying;
mod domain;
mod going_back;
mod help;
mod interrupt;
mod moving;
mod output;
mod pipeline;
mod prune;
mod reading;
mod recover;
mod transfer;
mod world;
