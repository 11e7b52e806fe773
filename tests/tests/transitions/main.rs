//! Every move of every kind, legal and illegal, on every backend; and the table the code uses
//! against a second one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod samples;
mod table;

use std::collections::BTreeSet;

use outlast_core::{
    Agent, Command, ErrorKind, Host, Pipeline, Session, StageOutcome, Status, Swarm, Task, Window,
};
use outlast_store::Store;
use samples::Sample;
use tempfile::TempDir;

fn texts<S: Status>(states: &[S]) -> BTreeSet<&'static str> {
    states.iter().map(|state| state.as_str()).collect()
}

/// The table of the code says what the written-out one says, state by state.
fn check_table<T: Sample>(written: &'static str) {
    let rows = table::rows(written);
    let named: BTreeSet<_> = rows.iter().map(|row| row.from).collect();
    assert_eq!(named, texts(<T::Status as Status>::ALL), "the states of {}", T::KIND);
    for row in rows {
        let from = T::Status::parse(row.from).unwrap();
        let what = format!("{} {}", T::KIND, row.from);
        assert_eq!(texts(from.successors()), row.plain.iter().copied().collect(), "{what}");
        assert_eq!(texts(from.reserved()), row.reserved.iter().copied().collect(), "{what}");
        assert_eq!(from.is_settled(), row.is_settled, "{what}");
        assert_eq!(from.is_final(), row.plain.is_empty() && row.reserved.is_empty(), "{what}");
    }
}

/// Every pair of states: a plain move is made, every other refused with nothing written.
async fn check_moves<T: Sample>(store: &Store, written: &'static str) {
    let entities = store.kind::<T>();
    for row in table::rows(written) {
        let from = T::Status::parse(row.from).unwrap();
        for to in <T::Status as Status>::ALL {
            let id = format!("{}-{}", row.from, to.as_str());
            let what = format!("{} from {} to {}", T::KIND, row.from, to.as_str());
            entities.create(&id, &T::in_status(from)).await.unwrap();
            let moved = entities.transition(&id, *to).await;
            let stored = entities.get(&id).await.unwrap();
            if row.plain.contains(&to.as_str()) {
                assert_eq!(moved.expect(&what).status(), Some(*to), "{what}");
                assert_eq!((stored.status(), stored.version.n), (Some(*to), 2), "{what}");
                continue;
            }
            let error = moved.expect_err(&what);
            assert_eq!(error.kind(), ErrorKind::IllegalTransition, "{what}: {error}");
            let text = error.to_string();
            assert!(text.contains(row.from) && text.contains(to.as_str()), "{what}: {text}");
            assert_eq!((stored.status(), stored.version.n), (Some(from), 1), "{what}");
            if row.reserved.contains(&to.as_str()) {
                // What is meant for it can make it, by an update of its own.
                let moved = entities.update(&id, |value| {
                    value.set_status(*to);
                    Ok(())
                });
                assert_eq!(moved.await.expect(&what).version.n, 2, "{what}");
            }
        }
    }
}

async fn open(backend: &str, dir: &TempDir) -> Store {
    let location = match backend {
        "memory" => "memory:".to_owned(),
        scheme => format!("{scheme}:{}", dir.path().join("state").display()),
    };
    outlast::open(&location).await.unwrap()
}

macro_rules! machines {
    ($($kind:ident, $written:ident, $table_test:ident, $moves_test:ident;)*) => {
        $(
            #[test]
            fn $table_test() {
                check_table::<$kind>(table::$written);
            }

            #[tokio::test]
            async fn $moves_test() {
                for backend in ["memory", "sqlite", "sled"] {
                    let dir = TempDir::new().unwrap();
                    let store = open(backend, &dir).await;
                    check_moves::<$kind>(&store, table::$written).await;
                    store.close().await.unwrap();
                }
            }
        )*
    };
}

machines! {
    Swarm, SWARM, the_moves_of_swarms_are_those_written_out, swarms_make_just_those_moves;
    Agent, AGENT, the_moves_of_agents_are_those_written_out, agents_make_just_those_moves;
    Session, SESSION, the_moves_of_sessions_are_those_written_out, sessions_make_just_those_moves;
    Task, TASK, the_moves_of_tasks_are_those_written_out, tasks_make_just_those_moves;
    Command, COMMAND, the_moves_of_commands_are_those_written_out, commands_make_just_those_moves;
    Pipeline, PIPELINE, the_moves_of_pipelines_are_those_written_out, pipelines_make_just_those_moves;
    StageOutcome, STAGE, the_moves_of_stages_are_those_written_out, stages_make_just_those_moves;
    Host, HOST, the_moves_of_hosts_are_those_written_out, hosts_make_just_those_moves;
    Window, WINDOW, the_moves_of_windows_are_those_written_out, windows_make_just_those_moves;
}
