//! Where settings come from and which one wins. What each setting does to the configuration is
//! tested beside the code; here, that the program looks in the right places.

use crate::bench::{Bench, two_runs};

/// The tasks `ps` lists say which store was opened.
fn bench_with_stores() -> Bench {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", two_runs);
    for place in ["home", "here", "env", "flag", "named"] {
        bench.fill(&format!("sqlite:{place}.db"), async |store| {
            crate::bench::add_run(store, place, 0).await;
        });
    }
    bench
}

fn db(place: &str) -> String {
    format!("db = \"sqlite:{place}.db\"\n")
}

/// I14 in ARCHITECTURE.md.
#[test]
fn the_nearest_setting_wins() {
    let bench = bench_with_stores();
    let opened = |args: &[&str], env: Option<&str>| {
        let mut command = bench.command(&[&["ps", "--json"], args].concat());
        command.envs(env.map(|url| ("OUTLAST_DB", url)));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["run"].as_str().unwrap().to_owned()
    };
    assert_eq!(opened(&[], None), "run-2", "the default is outlast.db");
    bench.write("home/.config/outlast/config.toml", db("home"));
    assert_eq!(opened(&[], None), "home");
    bench.write("outlast.toml", db("here"));
    assert_eq!(opened(&[], None), "here");
    assert_eq!(opened(&[], Some("sqlite:env.db")), "env");
    assert_eq!(opened(&["--db", "sqlite:flag.db"], Some("sqlite:env.db")), "flag");
    bench.write("named.toml", db("named"));
    assert_eq!(opened(&["--config", "named.toml"], None), "named");
    assert_eq!(opened(&["--config", "named.toml"], Some("sqlite:env.db")), "env");
}

#[test]
fn the_home_of_settings_can_be_elsewhere() {
    let bench = bench_with_stores();
    bench.write("xdg/outlast/config.toml", db("home"));
    let mut command = bench.command(&["ps", "--json"]);
    let output = command.env("XDG_CONFIG_HOME", bench.path("xdg")).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("\"home\""));
}

#[test]
fn a_file_can_be_named_in_the_environment() {
    let bench = bench_with_stores();
    bench.write("named.toml", db("named"));
    let output = bench.command(&["ps", "--json"]).env("OUTLAST_CONFIG", "named.toml").output();
    assert!(String::from_utf8(output.unwrap().stdout).unwrap().contains("\"named\""));
}

#[test]
fn a_file_that_is_no_configuration_is_refused_in_one_line_with_its_path() {
    let table: [(&str, &[u8], &str); 8] = [
        ("empty", b"", "empty"),
        ("binary", b"\xff\xfe\x00\x01", "binary"),
        ("syntax", b"# fine\ndb = \n", "line 2"),
        ("unknown", b"databse = \"x\"\n", "there is no setting \"databse\"; there are db, "),
        ("unknown-in-table", b"[retention]\noutput = \"1d\"\n", "retention.output"),
        ("type", b"db = [1]\n", "array"),
        ("value", b"max_concurrent = 0\n", "max_concurrent"),
        ("url", b"db = \"state.db\"\n", "sqlite:PATH"),
    ];
    let bench = Bench::new();
    for (name, content, what) in table {
        let name = format!("{name}.toml");
        bench.write(&name, content);
        let ran = bench.run(&["--config", &name, "ps"]);
        ran.refused(2, what);
        assert!(ran.err.contains(&name), "{ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    }
    let ran = bench.run(&["--config", "absent.toml", "ps"]);
    ran.refused(2, "absent.toml");
    std::fs::create_dir(bench.path("folder.toml")).unwrap();
    bench.run(&["--config", "folder.toml", "ps"]).refused(2, "folder.toml: this is a directory");
}

/// I14 in ARCHITECTURE.md.
#[test]
fn a_variable_that_is_no_setting_is_refused() {
    let bench = Bench::new();
    let output = bench.command(&["ps"]).env("OUTLAST_DATABASE", "x").output().unwrap();
    crate::bench::Ran::of(&output).refused(2, "OUTLAST_DATABASE");
}

#[test]
fn the_age_of_retention_is_taken_from_a_file() {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", two_runs);
    let pruned = |age: &str| {
        bench.write("outlast.toml", format!("[retention]\ntasks = \"{age}\"\n"));
        bench.json(&["prune", "--dry-run"])["runs"].as_u64()
    };
    // One run ended in 2023, the other just now.
    assert_eq!(pruned("0s"), Some(2));
    assert_eq!(pruned("30d"), Some(1));
    assert_eq!(pruned("5200w"), Some(0));
}

#[test]
fn the_defaults_of_tasks_are_taken_from_the_settings() {
    let bench = Bench::new();
    bench.write(
        "outlast.toml",
        "recovery = 'failed'\nidle_threshold = '5m'\non_idle = 'interrupt'\n",
    );
    let jobs = "[[task]]\nname = 'a'\ncommand = 'true'\n[[task]]\nname = 'b'\ncommand = 'true'\nrecovery = 'restart'\n";
    bench.write("jobs.toml", jobs);
    assert_eq!(bench.run(&["run", "jobs.toml"]).code, 0);
    let tasks = bench.json(&["ps"])["tasks"].clone();
    assert_eq!(
        (&tasks[0]["recovery"], &tasks[1]["recovery"]),
        (&"failed".into(), &"restart".into())
    );
    assert_eq!(tasks[0]["idle_threshold_ms"], 300_000);
    assert_eq!(tasks[0]["on_idle"], "interrupt");
}
