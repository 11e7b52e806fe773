//! For those who write a backend: the list of cases that every backend has to keep.
//!
//! For tests of a program that uses a store, [`ManualClock`](crate::ManualClock) holds time
//! still, and the location `memory:` needs no cleaning up.

pub use outlast_conformance::*;
