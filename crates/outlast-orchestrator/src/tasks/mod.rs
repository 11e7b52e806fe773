//! Tasks: commands that run as operating system processes, with their output captured.

pub mod process;
