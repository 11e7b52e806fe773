//! What is this backend's own: its file, its layout, its views, its faults.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

mod cancel;
mod damage;
mod domain;
mod file;
mod gather;
mod house;
mod layout;
mod place;
mod processes;
mod rot;
mod schema;
mod views;
