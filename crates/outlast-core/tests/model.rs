//! What holds of all of Outlast's own kinds together.
#![allow(clippy::unwrap_used)]

use outlast_core::{
    AgentStatus, Checkpoint, CommandStatus, Key, Kind, MAX_ID_BYTES, Status, SwarmStatus,
    TaskStatus, can_roll_back,
};

#[test]
fn only_swarms_agents_sessions_and_kinds_of_users_roll_back() {
    let kinds = "agent artifact artifact_tag checkpoint claim command consumption host lease pipeline run \
                 session stage_outcome swarm task window window_item note";
    let can: Vec<&str> =
        kinds.split_whitespace().filter(|kind| can_roll_back(&Kind::new(*kind).unwrap())).collect();
    assert_eq!(can, ["agent", "session", "swarm", "note"]);
}

#[test]
fn checkpoints_of_long_names_have_groups_of_their_own() {
    let name = |end: &str| Key::new("note", format!("{}{end}", "é".repeat(254))).unwrap();
    let groups = ["a", "b"].map(|end| Checkpoint::group_of(&name(end)));
    assert!(groups.iter().all(|group| group.len() <= MAX_ID_BYTES && group.len() > 500));
    assert_ne!(groups[0], groups[1]);
    assert_eq!(Checkpoint::group_of(&Key::new("note", "a").unwrap()), "note/a");
}

/// What may come before a state is what moves there, and the state itself.
fn agree<S: Status>() {
    for to in S::ALL.iter().copied() {
        let may = |from: &&S| **from == to || from.can_become(to);
        let expected: Vec<&str> = S::ALL.iter().filter(may).map(|s| s.as_str()).collect();
        assert_eq!(to.origins(), expected, "{to:?}");
        assert!(to.origins().contains(&to.as_str()));
    }
}

#[test]
fn origins_are_the_moves_read_backwards() {
    agree::<AgentStatus>();
    agree::<CommandStatus>();
    agree::<SwarmStatus>();
    agree::<TaskStatus>();
    assert_eq!(AgentStatus::Pending.origins(), ["pending", "failed"], "reserved moves too");
}
