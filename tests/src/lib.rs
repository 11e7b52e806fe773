//! Workloads that several tests share. Not published.

pub mod counter;
pub mod ledger;
