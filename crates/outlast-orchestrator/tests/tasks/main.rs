//! The tasks engine from start to recovery, over real processes.
#![cfg(feature = "tasks")]

mod driving;
mod hooked;
mod idle;
mod interrupt;
mod lease;
mod policy;
mod resume;
mod storage;
mod support;
