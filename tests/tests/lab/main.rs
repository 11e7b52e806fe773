//! The fault laboratory where no library stands between a process and its disk: damaged files,
//! dropped futures, hostile input, histories of many clients, files of older releases, several
//! processes, mounted disks that stop.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]
#![allow(clippy::indexing_slicing, clippy::panic, clippy::similar_names)]

mod cancel;
mod corpus;
mod damage;
mod golden;
mod hostile;
mod order;
mod processes;
mod scarce;
mod snapshot;
mod support;
