//! Workloads that several tests share. Not published.

pub mod ledger;
