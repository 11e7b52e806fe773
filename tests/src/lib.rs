//! Workloads that several tests share, and the laboratory that takes their disks away. Not
//! published.

pub mod counter;
pub mod lab;
pub mod ledger;
pub mod teller;
