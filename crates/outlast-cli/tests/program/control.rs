//! The control socket, and whoever comes to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use serde_json::Value;

use crate::bench::Bench;
use crate::moving::Live;

/// What is answered to these bytes.
fn answer(bench: &Bench, bytes: &[u8]) -> Value {
    let mut stream = UnixStream::connect(bench.path(".outlast/control.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // It may be refused before it has come whole.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut line = String::new();
    let read = BufReader::new(&stream).read_line(&mut line);
    // What is never read is answered by a hang-up.
    if read.is_err() || line.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(&line).unwrap()
}

fn phases(bench: &Bench) -> Vec<String> {
    let status = bench.json(&["migrate", "state", "status"]);
    let kinds = status["kinds"].as_array().unwrap();
    kinds.iter().map(|kind| format!("{} {}", kind["kind"], kind["phase"])).collect()
}

#[test]
fn only_its_owner_can_come_to_it() {
    let bench = Bench::new();
    let live = Live::start(&bench);
    let mode =
        |name: &str| bench.path(name).symlink_metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(".outlast"), 0o700);
    assert_eq!(mode(".outlast/control.sock"), 0o600);
    live.end();
    assert!(!bench.path(".outlast/control.sock").exists(), "it is removed at the end");
}

#[test]
fn hostile_input_gets_an_error_and_changes_nothing() {
    let bench = Bench::new();
    let live = Live::start(&bench);
    let before = phases(&bench);
    let order = |order: &str| format!("{{\"database\":null,\"order\":{order}}}\n").into_bytes();
    let table: Vec<Vec<u8>> = vec![
        b"\n".to_vec(),
        b"not json\n".to_vec(),
        b"\xff\xfe\x00\n".to_vec(),
        b"{\"database\":null,\"order\":\"status\"}".to_vec(),
        b"[1,2,3]\n".to_vec(),
        vec![b'['; 200_000],
        vec![b'{'; 60_000],
        order("\"explode\""),
        order(r#"{"advance":{"kind":"task","to":"live"}}"#),
        order(r#"{"advance":{"kind":"nothing_known","to":"live","last":false}}"#),
        order(r#"{"advance":{"kind":"../../etc","to":"live","last":false}}"#),
        order(r#"{"rollback":{"kind":null,"to":"memory","drop":null}}"#),
        order(r#"{"quarantine":{"purge":{"kind":"task","lineage":70000}}}"#),
    ];
    for bytes in table {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        let answered = answer(&bench, &bytes);
        assert!(
            answered["error"]["message"].is_string() || answered.is_null(),
            "{shown}: {answered}"
        );
    }
    let elsewhere = b"{\"database\":\"sqlite:/elsewhere.db\",\"order\":\"status\"}\n";
    assert_eq!(answer(&bench, elsewhere)["error"]["kind"], "conflict");
    assert_eq!(phases(&bench), before);
    live.end();
}

#[test]
fn whoever_says_nothing_keeps_nobody_else_out_for_long() {
    let bench = Bench::new();
    let live = Live::start(&bench);
    let path = bench.path(".outlast/control.sock");
    let mut silent: Vec<_> = (0..20).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let told = |stream: &mut UnixStream| {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text
    };
    let told: Vec<String> = silent.iter_mut().map(told).collect();
    assert!(told.iter().any(|text| text.contains("busy")), "{told:?}");
    assert!(told.iter().any(|text| text.contains("in time")), "{told:?}");
    assert_eq!(bench.run(&["migrate", "state", "status"]).code, 0);
    live.end();
}

#[test]
fn what_a_dead_process_left_is_replaced_and_a_live_one_is_not() {
    let bench = Bench::new();
    bench.write(".outlast/kept", "");
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(bench.path(".outlast"), private).unwrap();
    drop(UnixListener::bind(bench.path(".outlast/control.sock")).unwrap());
    let live = Live::start(&bench);
    let run = ["run", "jobs.toml", "--db", "memory:", "--migrate-to", "sqlite:other.db"];
    bench.run(&run).refused(5, "another process is controlled through");
    live.end();
    bench.write(".outlast/control.sock", "no socket");
    bench.run(&run).refused(2, "is no socket");
    std::fs::remove_file(bench.path(".outlast/control.sock")).unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bench.path(".outlast"), open).unwrap();
    bench.run(&run).refused(2, "chmod 700");
}

#[test]
fn one_that_is_named_has_to_be_there() {
    let bench = Bench::new();
    let ran = bench.run(&["migrate", "state", "status", "--control", "no.sock"]);
    ran.refused(5, "nobody listens at no.sock");
    let ran = bench.run(&["migrate", "state", "status", "--db", "sqlite:no.db"]);
    ran.refused(5, "no store");
    bench.run(&["migrate", "state", "status", "--db", "memory:"]).refused(2, "--migrate-to");
}
