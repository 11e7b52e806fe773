//! Content and its JSON form.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use outlast_core::{
    Action, Attributes, CommitId, Epoch, ErrorKind, Json, Key, Revision, Timestamp, Version,
    Versioned,
};
use proptest::prelude::*;

fn version(state: Option<&str>) -> Versioned {
    Versioned {
        key: Key::new("item", "a").unwrap(),
        version: Version::new(Epoch(1), 1),
        revision: Revision(1),
        commit: CommitId::of(uuid::Uuid::from_u128(1)),
        at: Timestamp::from_micros(0),
        action: Action::create(),
        actor: None,
        reason: None,
        metadata: state.map(|text| Json::parse(text).unwrap()),
        schema: 1,
        attrs: Attributes::new(),
        state: state.map(|text| Json::parse(text).unwrap()),
    }
}

#[test]
fn json_text_is_kept_to_the_letter() {
    for text in ["null", "1.50", "{ \"a\" : 1e3 }", "\"\\u0000é\"", "[\n1]", "18446744073709551616"]
    {
        assert_eq!(Json::parse(text).unwrap().as_str(), text);
        assert_eq!(Json::parse(&format!(" \n{text}\t\r")).unwrap().as_str(), text);
    }
}

#[test]
fn what_is_no_json_is_invalid() {
    for text in ["", " ", "1e400", "-1e400", "NaN", "Infinity", "{", "[1,]", "'a'", "1 2", "\"\n\""]
    {
        assert_eq!(Json::parse(text).unwrap_err().kind(), ErrorKind::Invalid, "{text:?}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(Json::parse(&deep).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn content_of_another_shape_is_corrupt() {
    let error = Json::parse("\"text\"").unwrap().decode::<u32>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn versions_come_back_from_their_json_form() {
    for state in [None, Some("null"), Some("{}"), Some("[ 1,2.0 ]"), Some("\"\\u00e9\"")] {
        let version = version(state);
        let text = Json::encode(&version).unwrap();
        let back: Versioned = text.decode().unwrap();
        assert_eq!(back, version, "{text}");
        assert_eq!(back.checksum(), version.checksum());
    }
}

#[test]
fn names_in_json_are_checked() {
    let good = Json::encode(&version(None)).unwrap();
    for (from, to) in [("\"a\"", "\"\""), ("\"item\"", "\"Item\""), ("\"create\"", "\"\"")] {
        let bad = Json::parse(&good.as_str().replace(from, to)).unwrap();
        assert_ne!(bad, good);
        assert!(bad.decode::<Versioned>().is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn text_is_refused_or_kept(text in "[-+0-9eE.\\[\\]{}\", a-z]{0,20}") {
        if let Ok(json) = Json::parse(&text) {
            prop_assert_eq!(json.as_str(), text.trim());
            let nested = Json::encode(&[&json]).unwrap();
            let back: Vec<Json> = nested.decode().unwrap();
            prop_assert_eq!(&back[0], &json);
        }
    }
}
