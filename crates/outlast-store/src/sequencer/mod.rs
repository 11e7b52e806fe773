//! Every write of a store goes through one sequencer: it forms groups of waiting batches, plans
//! each group once, has it written, and answers in order.
//!
//! [`machine`] decides and does no I/O; [`driver`] is the task that carries its decisions out.

mod driver;
mod machine;
#[cfg(test)]
mod schedules;

pub(crate) use driver::{Barrier, Driver, Published, Request, Waiting};
pub(crate) use machine::weight;
