//! Removing what is over and old enough: settled tasks of finished runs, with their output.
