//! Removing what is over and old enough: finished runs, with their tasks and the tasks' output.
//!
//! A run goes as a whole or not at all. It goes when all its tasks are recorded, every attempt at
//! each of them is settled, and the last of them has been for the given age. What is not over
//! stays, however old, and so does everything of its run.
//!
//! # What may surprise
//!
//! - The run is deleted before its tasks. Were it the other way round, a run that lost some of its
//!   tasks would look unfinished, and resuming it would run them again. Its tombstone is what says
//!   that the rest is to go, and goes last.
//! - A deletion is a commit of its own, by the actor and under the action `cleanup`, and asserts
//!   that what is deleted is still what was looked at. Only then history, output and tombstones
//!   are pruned, in slices, so that other commits get in between.
//! - What a store remembers of commits that nothing else is left of goes too, once it is of the
//!   age and can no longer be needed to tell a commit that is sent again.
//! - A call that was cut off anywhere has removed a part; the next one finds the tombstones it
//!   left and completes it.

mod finished;
mod prune;
mod removal;
mod report;

pub use prune::{Retention, prune};
pub use report::Report;
