//! Moving kinds, as an operator orders it: carried out here, or by the process that has them in
//! its memory, which is asked through its control socket.

mod answer;
mod client;
mod message;
mod plan;
mod rollback;
mod server;
mod socket;

pub(crate) use answer::carry_out;
pub(crate) use client::{Asked, ask};
pub(crate) use message::{Dropped, Order, Quarantine, Told};
pub(crate) use server::Control;

/// The name of the socket within the state directory.
pub(crate) const SOCKET: &str = "control.sock";
