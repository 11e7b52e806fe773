//! Which kinds depend on which: parents go first, and come back last.

use outlast_core::{
    Agent, Artifact, Command, Entity, Host, Kind, Pipeline, StageOutcome, Swarm, Window, WindowItem,
};

/// A kind and the kinds it depends on.
const PARENTS: &[(&str, &[&str])] = &[
    (Agent::KIND, &[Swarm::KIND]),
    (Command::KIND, &[Host::KIND, Pipeline::KIND]),
    (StageOutcome::KIND, &[Pipeline::KIND]),
    (Window::KIND, &[Artifact::KIND]),
    (WindowItem::KIND, &[Window::KIND]),
];

/// The kinds that a kind depends on.
pub fn parents(kind: &Kind) -> impl Iterator<Item = Kind> {
    let found = PARENTS.iter().find(|(child, _)| *child == kind.as_str());
    found.into_iter().flat_map(|(_, parents)| *parents).filter_map(|name| Kind::new(name).ok())
}

/// The kinds that depend on a kind.
pub fn children(kind: &Kind) -> impl Iterator<Item = Kind> {
    let of = PARENTS.iter().filter(move |(_, parents)| parents.contains(&kind.as_str()));
    of.filter_map(|(child, _)| Kind::new(child).ok())
}

/// How many generations stand above a kind.
pub fn generation(kind: &Kind) -> usize {
    parents(kind).map(|parent| generation(&parent) + 1).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_depends_on_something_is_of_a_later_generation() {
        for (child, parents) in PARENTS {
            let child = Kind::new(child).unwrap();
            for parent in *parents {
                let parent = Kind::new(parent).unwrap();
                assert!(generation(&child) > generation(&parent), "{child} and {parent}");
                assert!(children(&parent).any(|kind| kind == child));
            }
        }
        assert_eq!(generation(&Kind::new("task").unwrap()), 0);
    }
}
