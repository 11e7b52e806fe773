//! What may be a name, and what a cursor may hold.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use outlast_core::{
    Action, AttrName, AttrValue, Cursor, ErrorKind, Id, Key, Kind, MAX_ID_BYTES, MAX_NAME_BYTES,
    Space,
};
use proptest::prelude::*;

#[test]
fn names_are_lower_case_words() {
    let longest = "a".repeat(MAX_NAME_BYTES);
    for name in ["a", "task", "a1_b", "z_", "select", longest.as_str()] {
        assert_eq!(Kind::new(name).unwrap().as_str(), name);
        assert_eq!(AttrName::new(name).unwrap().as_str(), name);
        assert_eq!(Action::new(name).unwrap().as_str(), name);
    }
    let over = "a".repeat(MAX_NAME_BYTES + 1);
    for name in ["", "A", "1a", "_a", "a-b", "a b", "a.b", "ä", "a\0", " a", over.as_str()] {
        assert_eq!(Kind::new(name).unwrap_err().kind(), ErrorKind::Invalid, "{name:?}");
        assert_eq!(AttrName::new(name).unwrap_err().kind(), ErrorKind::Invalid, "{name:?}");
    }
}

#[test]
fn ids_are_any_text_without_control_characters() {
    for id in ["a", " ", "a/b", "'; drop table x; --", "日本", "🦀", "\u{202e}", "a@1", "%"] {
        assert_eq!(Id::new(id).unwrap().as_str(), id);
    }
    for id in ["", "\0", "a\nb", "\u{7f}", "\u{9f}", "a\r"] {
        assert_eq!(Id::new(id).unwrap_err().kind(), ErrorKind::Invalid, "{id:?}");
    }
}

#[test]
fn id_length_is_counted_in_bytes() {
    assert!(Id::new("x".repeat(MAX_ID_BYTES)).is_ok());
    assert!(Id::new("é".repeat(MAX_ID_BYTES / 2)).is_ok());
    for id in ["x".repeat(MAX_ID_BYTES + 1), "é".repeat(MAX_ID_BYTES / 2 + 1), "x".repeat(1 << 20)]
    {
        let error = Id::new(id).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("512"), "the limit is named: {error}");
    }
}

#[test]
fn key_shows_its_lineage_only_if_it_left_the_first() {
    let key = Key::new("task", "a").unwrap();
    assert_eq!(key.to_string(), "task/a");
    assert_eq!(key.in_space(Space(3)).to_string(), "task/a@3");
    assert_eq!(Key::new("Task", "a").unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(Key::new("task", "").unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn cursors_survive_being_written_down() {
    for cursor in [
        Cursor::number(0),
        Cursor::number(u64::MAX),
        Cursor::listing(None, "a"),
        Cursor::listing(Some(&AttrValue::Int(i64::MIN)), "é"),
        Cursor::listing(Some(&AttrValue::from("text")), "id"),
        Cursor::new(Vec::new()),
    ] {
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
    }
}

#[test]
fn what_is_no_cursor_is_invalid() {
    for text in ["0", "0g", "zz", "0x00", "é", "éé", "+1", " 00", "00 ", "-1"] {
        let error = text.parse::<Cursor>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{text:?}");
    }
}

#[test]
fn cursor_of_another_query_is_invalid() {
    let listing = Cursor::listing(Some(&AttrValue::from("abc")), "id");
    assert_eq!(listing.to_number().unwrap_err().kind(), ErrorKind::Invalid);
    for text in
        ["", "ff", "01", "0100", "02", "02ffffffffffffffff61", "020000000000000002ff", "00ff"]
    {
        let cursor: Cursor = text.parse().unwrap();
        assert_eq!(cursor.to_listing().unwrap_err().kind(), ErrorKind::Invalid, "{text:?}");
    }
}

proptest! {
    #[test]
    fn listing_cursors_come_back(value in any::<i64>(), text in ".{0,20}", id in "[a-zé]{1,20}") {
        let values = [None, Some(AttrValue::Int(value)), Some(AttrValue::from(text.as_str()))];
        for value in values {
            let cursor = Cursor::listing(value.as_ref(), &id);
            let (found, at) = cursor.to_listing().unwrap();
            prop_assert_eq!((found, at.as_str()), (value, id.as_str()));
        }
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let cursor = Cursor::new(bytes);
        let _ = (cursor.to_listing(), cursor.to_number());
        prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
    }

    #[test]
    fn any_text_is_an_id_or_refused(text in "\\PC{0,30}|.{0,30}") {
        if let Ok(id) = Id::new(&text) {
            prop_assert_eq!(id.as_str(), text.as_str());
            prop_assert!(!text.is_empty() && !text.chars().any(char::is_control));
        }
        let _ = (Kind::new(&text), text.parse::<Cursor>());
    }
}
