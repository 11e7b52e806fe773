//! What may be written at this moment, and what it survives.

use outlast_core::{Durability, ErrorKind, Key, Terms};

use super::rules::broken;
use super::{Control, Course, Footprint, Link};
use crate::migration::{Phase, Policy, lineage};

impl Control {
    /// Whether any of these commits is acknowledged only once the database has it.
    pub fn awaits_far(&self, commits: &[Footprint]) -> bool {
        commits.iter().any(|commit| self.is_durable(commit))
    }

    /// Whether the near store takes all of these at once, as one takes everything that never
    /// moves: [`terms`](Control::terms) would say of each that it gives the base.
    pub fn is_plain<'a>(&self, mut names: impl Iterator<Item = &'a Key>) -> bool {
        let is_plain = |course: &Course| !course.fenced && !course.phase.is_durable();
        self.doubt().is_none()
            && names.all(|name| {
                lineage::is_callers(name.space) && self.course(&name.kind).is_some_and(is_plain)
            })
    }

    /// Whether the copy of anything is behind and waits to be shipped.
    pub fn has_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// What is done for an entity or a stream at this moment.
    pub fn terms(&self, key: &Key) -> Terms {
        let Some(course) = self.course(&key.kind) else {
            return Terms::Gives(self.base());
        };
        let kind = &key.kind;
        if course.fenced {
            let why = format!(
                "another process took {kind} over: this one serves it no more; stop it, and start \
                 again to join the present owner's view"
            );
            return Terms::Refuses(ErrorKind::Fenced, why);
        }
        let doubted = self.doubt().is_some_and(|doubt| doubt.keys.contains(key));
        if doubted && !broken("writes_in_doubt") {
            let why = format!(
                "{key} is held: the database may have a write of it and has not said so yet; try \
                 again once it answers"
            );
            return Terms::Refuses(ErrorKind::Unavailable, why);
        }
        match (course.phase, self.link()) {
            (Phase::Mirror, _) if broken("acklie") => Terms::Gives(Durability::Durable),
            (Phase::Memory | Phase::Mirror, _) => Terms::Gives(self.base()),
            (_, Link::Up) => Terms::Gives(Durability::Durable),
            (_, Link::Down(cause, why)) => away(course, self.base(), key, *cause, why),
        }
    }

    /// What was done for something that was written before and is only asked for again. It need
    /// not have been written under the present terms.
    pub fn terms_again(&self, key: &Key) -> Terms {
        match self.terms(key) {
            Terms::Gives(_) if self.is_behind(key) && !broken("repeats_as_new") => {
                Terms::Gives(self.base())
            }
            terms => terms,
        }
    }
}

fn away(course: &Course, base: Durability, key: &Key, cause: ErrorKind, why: &str) -> Terms {
    if course.phase == Phase::Shadow && course.policy == Policy::Available {
        return Terms::Gives(base);
    }
    let phase = course.phase;
    let why = format!("{key} is in phase {phase} and its database is away: {why}");
    Terms::Refuses(cause, why)
}
