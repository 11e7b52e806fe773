//! The examples say what they are said to say.
#![cfg(any(feature = "memory", feature = "sled", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

/// What an example prints. Cargo builds the examples together with the tests.
fn run(name: &str, args: &[&str]) -> String {
    // target/debug/deps/examples-0123 and target/debug/examples/NAME.
    let this = std::env::current_exe().unwrap();
    let folder = this.parent().and_then(Path::parent).unwrap();
    let output = Command::new(folder.join("examples").join(name)).args(args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[cfg(feature = "memory")]
fn the_shortest_program_sees_both_versions() {
    assert_eq!(run("shortest", &[]), "version 2: milk, bread\nversion 1: milk\n");
}

#[test]
#[cfg(feature = "memory")]
fn an_own_kind_moves_only_as_its_table_says() {
    let refused = "refused: order/1 cannot become cancelled from paid\n";
    let sent = "order/1: lamp is Sent at version 3\n";
    assert_eq!(run("own_kind", &[]), format!("{refused}{sent}"));
}

#[test]
#[cfg(feature = "memory")]
fn the_audit_tells_who_and_hides_secrets() {
    let expected = concat!(
        "update by user:ben: no reason given\n",
        "  before: {\"name\":\"ben\",\"password\":\"***\"}\n",
        "  after:  {\"name\":\"benjamin\",\"password\":\"***\"}\n",
        "create by user:ann: new on the team\n",
        "  before: nothing\n",
        "  after:  {\"name\":\"ben\",\"password\":\"***\"}\n",
    );
    assert_eq!(run("audit", &[]), expected);
}

#[test]
#[cfg(feature = "memory")]
fn going_back_saves_what_was_there() {
    let expected = concat!(
        "version 4: pack, carry\n",
        "saved: version 3, pre_rollback\n",
        "version 5: pack, carry, burn the boxes\n",
        "plan/move has no version 99 to go back to\n",
    );
    assert_eq!(run("rollback", &[]), expected);
}

fn visits(location: &str) -> [String; 2] {
    [run("backends", &[location]), run("backends", &[location])]
}

#[test]
#[cfg(feature = "memory")]
fn memory_forgets() {
    let [first, second] = visits("memory:");
    assert_eq!(first, "visit 1 (memory, volatile)\n");
    assert_eq!(second, first);
}

#[test]
#[cfg(feature = "sled")]
fn sled_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = visits(&format!("sled:{}", folder.path().join("state").display()));
    assert_eq!(first, "visit 1 (sled, durable)\n");
    assert_eq!(second, "visit 2 (sled, durable)\n");
}

#[test]
#[cfg(feature = "sqlite")]
fn sqlite_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = visits(&format!("sqlite:{}", folder.path().join("state.db").display()));
    assert_eq!(first, "visit 1 (sqlite, durable)\n");
    assert_eq!(second, "visit 2 (sqlite, durable)\n");
}

#[test]
#[cfg(all(feature = "memory", feature = "swarm"))]
fn a_swarm_completes_though_one_agent_had_to_be_escalated() {
    let failed = "agent/tester is retrying with large\n";
    assert_eq!(
        run("swarm", &[]),
        format!("{failed}swarm/review is completed, 380 cents are left\n")
    );
}

#[test]
#[cfg(all(feature = "memory", feature = "sync"))]
fn a_client_follows_and_comes_back() {
    let lines = [
        "snapshot with 1 session",
        "session/after Added at version 1",
        "session/before Updated at version 2",
        "missed: true\n",
    ];
    assert_eq!(run("sync", &[]), lines.join("\n"));
}

#[test]
#[cfg(all(feature = "fleet", feature = "memory", feature = "process"))]
fn a_host_has_one_command_at_a_time_and_is_waited_for() {
    let lines = ["attic: success: pulled", "cellar: queued", "cellar: success: pulled later\n"];
    assert_eq!(run("fleet", &[]), lines.join("\n"));
}

#[test]
#[cfg(all(feature = "fleet", feature = "memory"))]
fn the_log_tells_what_happened_and_who_asked_for_it() {
    let lines = [
        "system info system: the roof leaks",
        "ops error system: pull on host attic: error: exit code 1",
        "ops info system: pull was sent to host attic",
        "audit info user:ann: pull begins on host attic",
        "system info system: host attic is registered\n",
    ];
    assert_eq!(run("events", &[]), lines.join("\n"));
}

#[test]
#[cfg(all(feature = "fleet", feature = "memory", feature = "process"))]
fn a_pipeline_goes_on_without_the_host_that_failed() {
    let lines = [
        "fetch on attic: success",
        "fetch on cellar: success",
        "check on attic: success",
        "check on cellar: failed",
        "print on attic: success",
        "print on cellar: skipped",
        "partial: every stage was successful on 1 of 2 hosts\n",
    ];
    assert_eq!(run("pipeline", &[]), lines.join("\n"));
}

#[test]
#[cfg(all(feature = "engines", feature = "memory"))]
fn a_store_is_counted_and_found_well() {
    let lines = [
        "2 active agents, 1 sessions",
        "1 agents killed",
        "5 audited changes in the last hour",
        "well: true\n",
    ];
    assert_eq!(run("statistics", &[]), lines.join("\n"));
}

#[test]
#[cfg(all(feature = "memory", feature = "windows"))]
fn what_belongs_together_is_handed_over_together_after_a_restart() {
    let lines = ["open: 2", "restored: 2", "ship 1: order + payment", "ship 2: order + payment\n"];
    assert_eq!(run("windows", &[]), lines.join("\n"));
}

#[test]
#[cfg(all(feature = "memory", feature = "recovery"))]
fn what_a_program_left_behind_is_settled_once_and_told() {
    let lines = [
        "2 would be changed",
        "told: pull-7 was executing, MarkedOrphaned",
        "agent: {Unchanged: 1, MarkedFailed: 1}",
        "command: {MarkedOrphaned: 1}",
        "swarm: {Unchanged: 1}",
        "the swarm counts 1 failed of 2",
        "1 swarm saved for the next start\n",
    ];
    assert_eq!(run("recovery", &[]), lines.join("\n"));
}

#[test]
#[cfg(all(feature = "migration", feature = "recovery", feature = "sqlite", feature = "swarm"))]
fn a_map_moves_to_a_database_one_kind_at_a_time() {
    let lines = [
        "no flag: the store is memory, and no file is written",
        "  2 sessions taken over",
        "sessions first: agents stay in memory",
        "  3 taken over",
        "  session is live, acknowledged as durable",
        "  agent is memory, acknowledged as volatile",
        "agents too: the sessions are there already",
        "  1 taken over, 2 unchanged",
        "  session is live, acknowledged as durable",
        "  agent is live, acknowledged as durable",
        "from now on a start finds everything",
        "  0 settled by recovery",
        "  1 active agents, 2 sessions",
        "  behind the database: Some(0)\n",
    ];
    assert_eq!(run("migration", &[]), lines.join("\n"));
}

#[test]
#[cfg(all(feature = "memory", feature = "retention"))]
fn what_is_over_goes_at_its_age() {
    let lines =
        ["after a month: {}", "after a week: 1 command of [\"command\"]", "stuck is Executing\n"];
    assert_eq!(run("retention", &[]), lines.join("\n"));
}
