use super::*;

fn flags(db: Option<&str>, config: Option<&Path>) -> Global {
    Global { db: db.map(str::to_owned), config: config.map(Path::to_owned), json: false }
}

fn env(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// A setting with a value that is not its default, and that value as it is read.
const OTHERS: [(&str, &str); 28] = [
    ("db", "sled:elsewhere"),
    ("max_concurrent", "7"),
    ("grace", "3s"),
    ("recovery", "restart"),
    ("idle_threshold", "5m"),
    ("on_idle", "interrupt"),
    ("flush_interval", "1s"),
    ("recover", "agent.running=keep, command.pending = requeue"),
    ("locking", "false"),
    ("audit", "false"),
    ("state_dir", "elsewhere"),
    ("persistence", "false"),
    ("use_database", "swarms, sessions"),
    ("retention.tasks", "12h"),
    ("retention.swarms", "never"),
    ("retention.agents", "1h"),
    ("retention.sessions", "2d"),
    ("retention.commands", "1w"),
    ("retention.pipelines", "never"),
    ("retention.windows", "1d"),
    ("retention.artifacts", "0s"),
    ("retention.consumptions", "1d"),
    ("retention.events", "90d"),
    ("retention.commits", "never"),
    ("retention.logs", "1d"),
    ("retention.checkpoints", "3"),
    ("retention.log_bytes", "never"),
    ("retention.log_entries", "1000"),
];

fn toml_of(name: &str, value: &str) -> String {
    match name.split_once('.') {
        Some((table, name)) => format!("[{table}]\n{name} = {value:?}\n"),
        None => format!("{name} = {value:?}\n"),
    }
}

/// I14 in ARCHITECTURE.md.
#[test]
fn each_setting_is_read_from_the_environment_and_from_a_file() {
    assert_eq!(OTHERS.len(), Key::all().count());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    let none = Sources::default();
    let defaults = Config::load(&flags(None, None), &none).unwrap();
    for (name, value) in OTHERS {
        let key = Key::named(name).unwrap();
        let mut expected = defaults.clone();
        (key.set)(&mut expected, value).unwrap();
        assert_ne!(expected, defaults, "{name}");

        let sources = Sources { env: env(&[(key.env, value)]), ..Sources::default() };
        assert_eq!(Config::load(&flags(None, None), &sources).unwrap(), expected, "{}", key.env);

        std::fs::write(&file, toml_of(name, value)).unwrap();
        let loaded = Config::load(&flags(None, Some(&file)), &none).unwrap();
        assert_eq!(loaded, expected, "{name}");
    }
}

#[test]
fn what_nobody_sets_is_as_in_the_library() {
    let config = Config::load(&flags(None, None), &Sources::default()).unwrap();
    assert_eq!(config.retention, Policies::default());
    assert_eq!(config.recover, Table::default());
}

#[test]
fn each_setting_is_documented() {
    let help = help();
    for key in Key::all() {
        for part in [key.name, key.env, key.default, key.about] {
            assert!(help.contains(part), "{part}");
        }
    }
}

#[test]
fn a_later_source_overrides_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("home.toml"), "db = \"sled:home\"\ngrace = \"1s\"\n").unwrap();
    std::fs::write(path("here.toml"), "db = \"sled:here\"\n").unwrap();
    std::fs::write(path("named.toml"), "db = \"sled:named\"\n").unwrap();
    let files = vec![path("home.toml"), path("here.toml")];
    let db = |flag, named: Option<&str>, env: Vec<(OsString, OsString)>, files: &[PathBuf]| {
        let named = named.map(path);
        let sources = Sources { env, files: files.to_vec() };
        Config::load(&flags(flag, named.as_deref()), &sources).unwrap().db.to_string()
    };
    let set = || env(&[("OUTLAST_DB", "sled:env")]);

    assert_eq!(db(None, None, vec![], &[]), "sqlite:outlast.db");
    assert_eq!(db(None, None, vec![], &files[..1]), "sled:home");
    assert_eq!(db(None, None, vec![], &files), "sled:here");
    assert_eq!(db(None, None, set(), &files), "sled:env");
    assert_eq!(db(Some("sled:flag"), None, set(), &files), "sled:flag");
    assert_eq!(db(None, Some("named.toml"), vec![], &files), "sled:named");

    // Key by key: what the nearer file leaves open comes from the farther one.
    let sources = Sources { env: vec![], files };
    let config = Config::load(&flags(None, None), &sources).unwrap();
    assert_eq!(config.grace, Duration::from_secs(1));
}

#[test]
fn a_value_that_cannot_be_is_refused_and_its_place_named() {
    let table = [
        ("OUTLAST_DB", "state.db"),
        ("OUTLAST_DB", ""),
        ("OUTLAST_MAX_CONCURRENT", "0"),
        ("OUTLAST_MAX_CONCURRENT", "many"),
        ("OUTLAST_GRACE", "2"),
        ("OUTLAST_RECOVERY", "retry"),
        ("OUTLAST_IDLE_THRESHOLD", "0s"),
        ("OUTLAST_ON_IDLE", "kill"),
        ("OUTLAST_FLUSH_INTERVAL", "soon"),
        ("OUTLAST_RECOVER", "agent.running"),
        ("OUTLAST_RECOVER", "agent.asleep=keep"),
        ("OUTLAST_RECOVER", "agent.running=orphan"),
        ("OUTLAST_RECOVER", "robot.running=keep"),
        ("OUTLAST_LOCKING", "on"),
        ("OUTLAST_AUDIT", ""),
        ("OUTLAST_STATE_DIR", ""),
        ("OUTLAST_PERSISTENCE", "off"),
        ("OUTLAST_USE_DATABASE", "swarms,"),
        ("OUTLAST_RETENTION_TASKS", "-1d"),
        ("OUTLAST_RETENTION_SWARMS", "forever"),
        ("OUTLAST_RETENTION_CHECKPOINTS", "never"),
        ("OUTLAST_RETENTION_LOG_BYTES", "1GB"),
        ("OUTLAST_MAX_CONCURENT", "3"),
    ];
    for (name, value) in table {
        let sources = Sources { env: env(&[(name, value)]), ..Sources::default() };
        let error = Config::load(&flags(Some("memory:"), None), &sources).unwrap_err();
        assert_eq!(error.kind(), outlast::ErrorKind::Invalid);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn the_marks_of_a_task_are_no_settings() {
    let marks: Vec<_> = MARKERS.iter().map(|name| (*name, "x")).collect();
    let sources = Sources { env: env(&marks), ..Sources::default() };
    Config::load(&flags(None, None), &sources).unwrap();
}
