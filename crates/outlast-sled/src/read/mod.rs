//! Answers from the tables. Each is made while one lock is held, so it is one snapshot.

mod count;
mod entity;
mod feed;
mod history;
mod kinds;
mod list;
mod page;
mod stream;

pub(crate) use count::count;
pub(crate) use entity::{current, lookup};
pub(crate) use feed::changes;
pub(crate) use history::history;
pub(crate) use kinds::kinds;
pub(crate) use list::{Candidate, list, matching};
pub(crate) use stream::{entries, streams};
