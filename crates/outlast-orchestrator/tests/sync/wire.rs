//! Messages as JSON: the shape is a promise, and large numbers survive.

use std::sync::Arc;

use outlast_core::{Epoch, Incarnation, Json, Key, Revision, Seq, Space, Timestamp, Version};
use outlast_orchestrator::sync::{
    Appended, Delta, Happening, Item, Message, Op, Position, Reason, Request, Snapshot,
};
use serde_json::{Value, json};
use uuid::Uuid;

const LIFE: &str = "00000000-0000-0000-0000-000000000007";
const LARGE: u64 = (1 << 53) + 1;

fn position() -> Position {
    Position { incarnation: Incarnation(Uuid::from_u128(7)), revision: Revision(LARGE) }
}

fn item(op: Op, state: Option<&str>) -> Item {
    let key = Key::new("item", "a").unwrap().in_space(Space(2));
    let state = state.map(|state| Json::parse(state).unwrap());
    Item { key, op, version: Version::new(Epoch(LARGE), LARGE), at: Timestamp::default(), state }
}

fn happening() -> Happening {
    let event = Json::parse("{\"message\":\"m\"}").unwrap();
    Happening { seq: Seq(LARGE), at: Timestamp::default(), event }
}

fn delta() -> Message {
    let Position { incarnation, revision } = position();
    let stream = Key::new("log", "l").unwrap();
    Message::Delta(Arc::new(Delta {
        incarnation,
        revision,
        at: Timestamp::default(),
        items: vec![item(Op::Updated, Some("null")), item(Op::Removed, None)],
        appended: vec![Appended { stream, first: Seq(1), last: Seq(LARGE) }],
        events: vec![happening()],
        damaged: vec!["item/b version 3".to_owned()],
    }))
}

fn snapshot() -> Snapshot {
    let Position { incarnation, revision } = position();
    Snapshot {
        incarnation,
        revision,
        items: vec![item(
            Op::Added,
            Some("{\"n\":1e400}".replace("1e400", "18446744073709551615").as_str()),
        )],
        events: vec![happening()],
        left_out: [(outlast_core::Kind::new("item").unwrap(), 3)].into(),
        damaged: Vec::new(),
    }
}

#[test]
fn every_message_is_read_back_as_it_was_written() {
    let full = Message::FullState(Arc::new(snapshot()));
    let resync = Message::Resync(position(), Reason::Lagged);
    let sync = Message::Sync(position());
    for message in [Message::Init(Arc::new(snapshot())), full, delta(), sync, resync] {
        let text = message.to_json().unwrap();
        assert_eq!(Message::from_json(text.as_str()).unwrap(), message, "{text}");
        let value: Value = serde_json::from_str(text.as_str()).unwrap();
        let reordered = value.to_string();
        assert_eq!(Message::from_json(&reordered).unwrap(), message, "{reordered}");
    }
    for request in [Request::GetState, Request::Resume(position())] {
        let text = request.to_json().unwrap();
        assert_eq!(Request::from_json(text.as_str()).unwrap(), request, "{text}");
    }
}

#[test]
fn the_shape_is_as_it_was_promised() {
    let text = delta().to_json().unwrap();
    let found: Value = serde_json::from_str(text.as_str()).unwrap();
    let at = "1970-01-01T00:00:00.000000Z";
    let large = LARGE.to_string();
    let expected = json!({
        "type": "delta",
        "version": large,
        "incarnation": LIFE,
        "payload": {
            "at": at,
            "items": [
                {
                    "kind": "item", "id": "a", "space": 2, "op": "updated", "version": large,
                    "epoch": large, "at": at, "state": null,
                },
                {
                    "kind": "item", "id": "a", "space": 2, "op": "removed", "version": large,
                    "epoch": large, "at": at,
                },
            ],
            "appended": [{ "kind": "log", "id": "l", "first": "1", "last": large }],
            "events": [{ "seq": large, "at": at, "event": { "message": "m" } }],
            "damaged": ["item/b version 3"],
        },
    });
    assert_eq!(found, expected);
    let text = Message::Sync(position()).to_json().unwrap();
    let expected = json!({ "type": "sync", "version": large, "incarnation": LIFE });
    assert_eq!(serde_json::from_str::<Value>(text.as_str()).unwrap(), expected);
    let text = Request::GetState.to_json().unwrap();
    assert_eq!(text.as_str(), "{\"type\":\"get_state\"}");
}

#[test]
fn a_version_may_be_a_number_too() {
    let request = format!("{{\"type\":\"resume\",\"version\":7,\"incarnation\":\"{LIFE}\"}}");
    let expected = Position { revision: Revision(7), ..position() };
    assert_eq!(Request::from_json(&request).unwrap(), Request::Resume(expected));
}

#[test]
fn what_is_no_message_is_refused() {
    for text in [
        "",
        "[]",
        "{\"type\":\"delta\"}",
        "{\"type\":\"reboot\",\"version\":\"1\",\"incarnation\":\"00000000-0000-0000-0000-000000000007\"}",
        "{\"type\":\"init\",\"version\":\"1\",\"incarnation\":\"00000000-0000-0000-0000-000000000007\"}",
        "{\"type\":\"sync\",\"version\":\"-1\",\"incarnation\":\"00000000-0000-0000-0000-000000000007\"}",
    ] {
        assert!(Message::from_json(text).is_err(), "{text}");
        assert!(Request::from_json(text).is_err(), "{text}");
    }
}
