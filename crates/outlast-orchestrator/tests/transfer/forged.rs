//! Input whose checksums and counts are right and whose content is not: every rule is checked on
//! its own.

use outlast_core::{
    CommitId, Entry, Epoch, ErrorKind, Json, Key, MAX_REASON_BYTES, Revision, Seq, Timestamp,
    Version, Versioned,
};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::content::{attrs, commit, key, put, revision};
use crate::{exported, imported, store};

fn version(id: &str, n: u64) -> Versioned {
    Versioned {
        key: key(id),
        version: Version::new(Epoch(1), n),
        revision: Revision::ZERO,
        commit: CommitId::of(uuid::Uuid::from_u128(1)),
        at: Timestamp::default(),
        action: outlast_core::Action::create(),
        actor: None,
        reason: None,
        metadata: None,
        schema: 1,
        attrs: outlast_core::Attributes::new(),
        state: Some(Json::parse("1").unwrap()),
    }
}

fn version_line(version: &Versioned) -> Value {
    let mut line = json!({
        "kind": version.key.kind, "id": version.key.id(), "epoch": 1, "n": version.version.n,
        "commit": version.commit, "at": version.at, "action": version.action, "schema": 1,
        "attrs": version.attrs, "checksum": format!("{:016x}", version.checksum()),
    });
    if let Some(state) = &version.state {
        line["state"] = json!({"text": state.as_str()});
    }
    if let Some(reason) = &version.reason {
        line["reason"] = json!(reason);
    }
    json!({"version": line})
}

fn transient_line() -> Value {
    let attrs = attrs("beat", 1);
    let sum = outlast_core::checksum_attributes(&attrs);
    json!({"transient": {"attrs": attrs, "checksum": format!("{sum:016x}")}})
}

fn stream_line(kind: &str, id: &str, first: u64, last: u64) -> Value {
    let sum = xxh3_64(format!("{first} {last} {kind}/{id}").as_bytes());
    let sum = format!("{sum:016x}");
    json!({"stream": {"kind": kind, "id": id, "first": first, "last": last, "checksum": sum}})
}

fn entry_line(id: &str, seq: u64, data: &str) -> Value {
    let stream = Key::new("log", id).unwrap();
    let (seq, at, attrs) = (Seq(seq), Timestamp::default(), outlast_core::Attributes::new());
    let entry = Entry { stream, seq, at, attrs, data: data.as_bytes().to_vec() };
    let sum = format!("{:016x}", entry.checksum());
    json!({"entry": {"seq": seq, "at": at, "data": {"text": data}, "checksum": sum}})
}

/// An export of these lines, with the right counts and sums.
async fn forged(lines: &[Value]) -> String {
    let header = exported(&store()).await.lines().next().unwrap().to_owned();
    let texts: Vec<String> = lines.iter().map(Value::to_string).collect();
    let body = texts.iter().fold(String::new(), |body, line| body + line + "\n");
    let count = |name: &str| lines.iter().filter(|line| line.get(name).is_some()).count();
    let mut keys: Vec<_> = lines
        .iter()
        .filter_map(|line| line.get("version"))
        .map(|line| format!("{} {}", line["kind"], line["id"]))
        .collect();
    keys.dedup();
    let tally = json!({
        "entities": keys.len(), "versions": count("version"),
        "streams": count("stream"), "entries": count("entry"),
    });
    let sum = format!("{:016x}", xxh3_64(body.as_bytes()));
    let end = json!({"end": {"tally": tally, "checksum": sum}});
    format!("{header}\n{body}{end}\n")
}

async fn refused(line: usize, kind: ErrorKind, why: &str, lines: &[Value]) {
    let to = store();
    let error = imported(&to, &forged(lines).await).await.expect_err(why);
    let message = error.to_string();
    assert_eq!(error.kind(), kind, "{message}");
    assert!(message.starts_with(&format!("line {line} of the input: ")), "{why}: {message}");
    assert!(message.contains(why), "{why}: {message}");
    assert_eq!(revision(&to).await, 0);
}

#[tokio::test]
async fn a_forgery_that_breaks_no_rule_is_imported() {
    let lines = [
        version_line(&version("a", 1)),
        version_line(&version("a", 2)),
        transient_line(),
        version_line(&version("b", 7)),
        stream_line("log", "x", 3, 4),
        entry_line("x", 3, "one"),
        entry_line("x", 4, "two"),
        stream_line("log", "y", 10, 9),
    ];
    let report = imported(&store(), &forged(&lines).await).await.unwrap();
    assert_eq!((report.entities, report.entries), (2, 2));
}

#[tokio::test]
async fn entities_and_versions_out_of_order_are_refused() {
    use ErrorKind::Invalid;

    let (a1, a2) = (version_line(&version("a", 1)), version_line(&version("a", 2)));
    let b = version_line(&version("b", 1));
    refused(3, Invalid, "out of order", &[a2.clone(), a1.clone()]).await;
    refused(3, Invalid, "twice", &[a1.clone(), a1.clone()]).await;
    refused(3, Invalid, "out of order", &[b.clone(), a1.clone()]).await;
    refused(4, Invalid, "out of order", &[a1.clone(), b.clone(), a2.clone()]).await;
    refused(4, Invalid, "out of order", &[a1.clone(), transient_line(), a2]).await;
    refused(3, Invalid, "out of order", &[stream_line("log", "x", 2, 1), a1]).await;
}

#[tokio::test]
async fn transient_attributes_of_nothing_are_refused() {
    use ErrorKind::Invalid;

    let line = transient_line();
    refused(2, Invalid, "no live entity", std::slice::from_ref(&line)).await;
    let mut gone = version("a", 1);
    gone.state = None;
    refused(3, Invalid, "no live entity", &[version_line(&gone), line.clone()]).await;
    let first = version_line(&version("a", 1));
    refused(4, Invalid, "no live entity", &[first, line.clone(), line]).await;
}

#[tokio::test]
async fn streams_out_of_order_or_incomplete_are_refused() {
    use ErrorKind::Invalid;

    let (x, one) = (stream_line("log", "x", 1, 2), entry_line("x", 1, "one"));
    let (empty_a, empty_y) = (stream_line("log", "a", 2, 1), stream_line("log", "y", 2, 1));
    refused(2, Invalid, "before any stream", std::slice::from_ref(&one)).await;
    refused(3, Invalid, "entry 2 of log/x comes", &[x.clone(), entry_line("x", 2, "")]).await;
    refused(4, Invalid, "ends before entry 2", &[x.clone(), one.clone()]).await;
    refused(4, Invalid, "ends before entry 2", &[x.clone(), one.clone(), empty_y.clone()]).await;
    let many = [x, one, entry_line("x", 2, "two"), entry_line("x", 3, "three")];
    refused(5, Invalid, "entry 3 of log/x comes", &many).await;
    refused(3, Invalid, "out of order", &[empty_y.clone(), empty_a]).await;
    refused(3, Invalid, "twice", &[empty_y.clone(), empty_y.clone()]).await;
    let other_kind = stream_line("journal", "z", 2, 1);
    refused(3, Invalid, "out of order", &[empty_y, other_kind]).await;
    refused(2, Invalid, "cannot hold", &[stream_line("log", "x", 0, 1)]).await;
    refused(2, Invalid, "cannot hold", &[stream_line("log", "x", 1, 0)]).await;
    refused(2, Invalid, "cannot hold", &[stream_line("log", "x", 5, 3)]).await;
    refused(2, Invalid, "cannot hold", &[stream_line("log", "x", 0, u64::MAX)]).await;
}

#[tokio::test]
async fn records_over_the_limits_of_the_store_are_refused() {
    use ErrorKind::{Invalid, TooLarge};

    let limits = store().info().limits;
    refused(2, Invalid, "version 0", &[version_line(&version("a", 0))]).await;
    let mut large = version("a", 1);
    large.state = Some(Json::encode(&"x".repeat(limits.state_bytes)).unwrap());
    refused(2, TooLarge, "bytes in a state", &[version_line(&large)]).await;
    let mut wordy = version("a", 1);
    wordy.reason = Some("x".repeat(MAX_REASON_BYTES + 1));
    refused(2, TooLarge, "bytes in a reason", &[version_line(&wordy)]).await;
    let mut many = version("a", 1);
    for n in 0..=limits.attributes {
        many.attrs.extend(attrs(&format!("a{n}"), 1));
    }
    refused(2, TooLarge, "attributes", &[version_line(&many)]).await;
    let long = entry_line("x", 1, &"x".repeat(limits.entry_bytes + 1));
    refused(3, TooLarge, "bytes in an entry", &[stream_line("log", "x", 1, 1), long]).await;
}

#[tokio::test]
async fn counts_that_are_wrong_are_refused() {
    let from = store();
    commit(&from, put(key("a"), "1")).await;
    let lines = exported(&from).await;
    for (right, wrong) in [("\"versions\":1", "\"versions\":2"), ("\"entries\":0", "\"entries\":1")]
    {
        let to = store();
        let error = imported(&to, &lines.replacen(right, wrong, 1)).await.unwrap_err();
        assert!(error.to_string().starts_with("line 3 of the input: it counts"), "{error}");
    }
}
