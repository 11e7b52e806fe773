//! From one database to another.

use crate::bench::Bench;
use crate::world::world;

/// What there is to read, without the line that names the store.
fn content(bench: &Bench, url: &str) -> String {
    let ran = bench.run(&["export", "--db", url]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out.split_once('\n').unwrap().1.to_owned()
}

#[test]
fn a_copy_is_the_same_on_every_backend_and_copying_again_changes_nothing() {
    let bench = Bench::new();
    bench.fill("sqlite:first.db", world);
    let places = ["sqlite:first.db", "sled:second", "sqlite:third.db", "sqlite:fourth.db"];
    for pair in places.windows(2) {
        let copied = bench.json(&["copy", "--from", pair[0], "--to", pair[1]]);
        assert!(copied["entities"].as_u64().unwrap() > 10, "{copied}");
        assert_eq!(copied["diverged"], 0);
        assert!(content(&bench, pair[0]) == content(&bench, pair[1]), "{pair:?}");
        let again = bench.json(&["copy", "--from", pair[0], "--to", pair[1]]);
        assert_eq!((&again["entities"], &again["entries"]), (&0.into(), &0.into()), "{again}");
    }
}

#[test]
fn what_was_written_since_comes_with_the_next_copy() {
    let bench = Bench::new();
    bench.fill("sqlite:first.db", world);
    let copy = ["copy", "--from", "sqlite:first.db", "--to", "sled:second"];
    assert_eq!(bench.run(&copy).code, 0);
    assert_eq!(bench.run(&["swarms", "pause", "s-1", "--db", "sqlite:first.db"]).code, 0);
    let copied = bench.json(&copy);
    assert_eq!(copied["entities"], 1, "{copied}");
    assert!(content(&bench, "sqlite:first.db") == content(&bench, "sled:second"));
}

#[test]
fn a_copy_that_cannot_be_made_is_refused_and_makes_no_store() {
    let bench = Bench::new();
    bench.run(&["copy", "--from", "sqlite:a.db", "--to", "sled:b"]).refused(5, "no store at a.db");
    bench.run(&["copy", "--from", "memory:", "--to", "sled:b"]).refused(2, "memory");
    bench.run(&["copy", "--from", "sled:b", "--to", "sled:b"]).refused(2, "same");
    assert!(bench.listing().is_empty());
}
