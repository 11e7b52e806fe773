//! Removing what is over and old enough.
//!
//! [`Policies`] say how long what is kept, and a [`Sweeper`] removes the rest: once an hour, in
//! slices between which other commits get in, or when it is asked to. What is not over stays,
//! however old, and so does everything that it names. [`prune`] does the same for runs alone.
//!
//! A run goes as a whole or not at all. It goes when all its tasks are recorded, every attempt at
//! each of them is settled, and the last of them has been for the given age.
//!
//! # What may surprise
//!
//! - When the clock jumped, a tick only reports ([`Sweep::held_back`]). The next one with a steady
//!   clock removes, and [`Sweeper::force`] does at once.
//! - Agents of a swarm that is not over stay, and a swarm goes after the last of its agents.
//!   Artifacts stay for as long as a window that is not over holds them.
//! - The history of what lives is kept. A kind of your own is kept for ever unless
//!   [`declared`](Policies::with_own).
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

mod checkpoints;
mod doomed;
mod entities;
mod finished;
mod guard;
mod kinds;
mod pass;
mod policies;
mod prune;
mod removal;
mod report;
mod streams;
mod sweep;
mod sweeper;

pub use guard::{LastSweep, last_sweep};
pub use policies::Policies;
pub use prune::{Retention, prune};
pub use report::Report;
pub use sweep::{Sweep, Tally};
pub use sweeper::Sweeper;
