//! Hosts, commands, pipelines and the event log.

use outlast_core::{
    Actor, AttrName, AttrValue, Attributes, Claim, Command, CommandLine, CommandStatus, Event,
    EventCategory, EventLevel, Host, HostStatus, Id, Key, OpSpec, Pipeline,
};
use serde_json::json;

use super::{NOW, assert_row, create, now, store};
use crate::house::House;
use crate::views::table;

pub(super) fn command(host: &str) -> Command {
    let mut spec = OpSpec::new("pull");
    spec.run = Some(CommandLine::Shell("git pull".into()));
    spec.retryable = true;
    Command::new(host, spec, now())
}

pub(super) fn pipeline() -> Pipeline {
    let pipeline = json!({
        "status": "running",
        "name": "deploy",
        "hosts": ["h1", "h2"],
        "stages": [OpSpec::new("pull"), OpSpec::new("switch")],
        "current_stage": 1,
        "recovery": "resume",
        "created_at": NOW,
    });
    serde_json::from_value(pipeline).unwrap()
}

#[tokio::test]
async fn a_host_shows_its_facts_its_beat_and_its_command() {
    let house = House::new();
    let store = store(&house).await;
    let mut host = Host::new("web", now());
    host.status = HostStatus::Online;
    host.host_type = Some("nixos".into());
    host.location = Some("home".into());
    let facts = [
        ("agent_version", json!("2.1")),
        ("generation", json!("abc123")),
        ("metrics", json!({ "cpu": 3 })),
        ("lock_status", json!({ "age": 1 })),
        ("kernel", json!("6.1")),
    ];
    host.facts = facts.map(|(name, value)| (name.to_owned(), value)).into();
    create(&store, "h1", &host).await;
    assert_row(&house, "hosts", &[("last_seen", "NULL"), ("pending_command", "NULL")]).await;
    let beat = [(AttrName::new(Host::LAST_SEEN).unwrap(), AttrValue::from(now()))];
    store.kind::<Host>().touch("h1", Attributes::from(beat)).await.unwrap();
    create(&store, "host/h1", &Claim { holder: "c1".into(), claimed_at: now() }).await;
    let expected = [
        ("id", "h1"),
        ("hostname", "web"),
        ("host_type", "nixos"),
        ("agent_version", "2.1"),
        ("os_version", "NULL"),
        ("generation", "abc123"),
        ("last_seen", NOW),
        ("status", "online"),
        ("pending_command", "c1"),
        ("theme_color", Host::THEME_COLOR),
        ("metrics_json", "{\"cpu\":3}"),
        ("location", "home"),
        ("lock_status_json", "{\"age\":1}"),
        ("created_at", NOW),
        ("version", "1"),
    ];
    assert_row(&house, "hosts", &expected).await;
    let facts = table(&house, "SELECT facts ->> '$.kernel' FROM hosts").await;
    assert_eq!(facts, [["6.1"]], "other facts are there too");
}

#[tokio::test]
async fn a_command_shows_how_it_went() {
    let house = House::new();
    let store = store(&house).await;
    let mut command = command("h1");
    command.pipeline_id = Some("p1".into());
    command.stage = Some(0);
    create(&store, "c1", &command).await;
    let commands = store.kind::<Command>();
    commands.transition("c1", CommandStatus::Validating).await.unwrap();
    commands.transition("c1", CommandStatus::Executing).await.unwrap();
    let end = |command: &mut Command| {
        command.status = CommandStatus::Error;
        command.started_at = Some(now());
        command.finished_at = Some(now());
        command.exit_code = Some(3);
        command.code = Some("exit_nonzero".into());
        command.error = Some("no".into());
        command.output_file = Some("/var/log/h1".into());
        Ok(())
    };
    commands.update("c1", end).await.unwrap();
    let expected = [
        ("id", "c1"),
        ("host_id", "h1"),
        ("op", "pull"),
        ("pipeline_id", "p1"),
        ("stage", "0"),
        ("status", "error"),
        ("created_at", NOW),
        ("started_at", NOW),
        ("finished_at", NOW),
        ("exit_code", "3"),
        ("error", "no"),
        ("output_file", "/var/log/h1"),
        ("code", "exit_nonzero"),
        ("retryable", "1"),
        ("version", "4"),
    ];
    assert_row(&house, "commands", &expected).await;
}

#[tokio::test]
async fn a_pipeline_shows_where_it_is() {
    let house = House::new();
    let store = store(&house).await;
    create(&store, "p1", &pipeline()).await;
    let expected = [
        ("id", "p1"),
        ("name", "deploy"),
        ("hosts", "[\"h1\",\"h2\"]"),
        ("current_stage", "1"),
        ("status", "running"),
        ("created_at", NOW),
        ("finished_at", "NULL"),
        ("recovery", "resume"),
    ];
    assert_row(&house, "pipelines", &expected).await;
    let ops = "SELECT json_extract(stages, '$[1].op') FROM pipelines";
    assert_eq!(table(&house, ops).await, [["switch"]]);
}

#[tokio::test]
async fn events_are_shown_in_the_order_of_their_ids() {
    let house = House::new();
    let store = store(&house).await;
    let agent = Actor::Agent(Id::new("h1").unwrap());
    let full = Event::new(EventCategory::Ops, EventLevel::Warn, "slow")
        .by(agent)
        .on("h1")
        .called("op:pull")
        .about(Key::new("command", "c1").unwrap())
        .with(json!({ "ms": 9 }));
    let mut draft = store.draft();
    draft.report(&full).unwrap();
    draft.report(&Event::new(EventCategory::System, EventLevel::Info, "bare")).unwrap();
    draft.commit().await.unwrap();
    let sql = "SELECT id, timestamp, category, level, actor, host_id, action, message, details, \
               subject_type, subject_id FROM event_log ORDER BY id";
    let none = "NULL";
    let expected = [
        [
            "1",
            NOW,
            "ops",
            "warn",
            "agent:h1",
            "h1",
            "op:pull",
            "slow",
            "{\"ms\":9}",
            "command",
            "c1",
        ],
        ["2", NOW, "system", "info", none, none, none, "bare", none, none, none],
    ];
    assert_eq!(table(&house, sql).await, expected);
}
