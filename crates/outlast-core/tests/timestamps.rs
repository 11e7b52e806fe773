//! The edges of time.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use outlast_core::{Clock, ErrorKind, ManualClock, Timestamp};
use proptest::prelude::*;

fn parse(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn moments_are_written_with_six_decimals_in_utc() {
    for (micros, text) in [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (2_147_483_648_000_000, "2038-01-19T03:14:08.000000Z"),
        (4_102_444_800_000_001, "2100-01-01T00:00:00.000001Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (Timestamp::MIN_MICROS, "0000-01-01T00:00:00.000000Z"),
        (Timestamp::MAX_MICROS, "9999-12-30T22:00:00.000000Z"),
    ] {
        assert_eq!(Timestamp::from_micros(micros).to_string(), text);
        assert_eq!(parse(text).as_micros(), micros);
    }
}

#[test]
fn other_spellings_of_a_moment_are_understood() {
    let moment = parse("2026-03-14T12:00:00Z");
    assert_eq!(parse("2026-03-14T14:00:00+02:00"), moment);
    assert_eq!(parse("2026-03-14T12:00:00.0000009Z"), moment);
}

#[test]
fn what_is_no_moment_is_invalid() {
    for text in [
        "",
        "now",
        "2026-03-14",
        "2026-02-30T00:00:00Z",
        "2026-03-14T25:00:00Z",
        "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "-000001-12-31T23:59:59Z",
        "-009999-01-01T00:00:00Z",
        "1773450000",
    ] {
        let found = text.parse::<Timestamp>();
        assert_eq!(found.unwrap_err().kind(), ErrorKind::Invalid, "{text:?}");
    }
}

#[test]
fn moments_beyond_the_edges_stay_at_the_edge() {
    let (first, last) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
    assert_eq!(first.as_micros(), Timestamp::MIN_MICROS);
    assert_eq!(last.as_micros(), Timestamp::MAX_MICROS);
    assert_eq!(last.plus(Duration::MAX), last);
    assert_eq!(first.minus(Duration::MAX), first);
    assert_eq!(first.since(last), Duration::ZERO);
    assert_eq!(last.since(first).as_micros(), 315_569_426_400_000_000);
}

#[test]
fn milliseconds_round_down_also_before_1970() {
    for (micros, millis) in [(1999, 1), (0, 0), (-1, -1), (-1000, -1), (-1001, -2)] {
        assert_eq!(Timestamp::from_micros(micros).as_millis(), millis);
    }
}

#[test]
fn manual_clock_moves_only_when_told() {
    let clock = ManualClock::at(parse("2038-01-19T03:14:07.999999Z"));
    clock.advance(Duration::from_micros(1));
    assert_eq!(clock.now(), parse("2038-01-19T03:14:08Z"));
    clock.jump_to(parse("1969-01-01T00:00:00Z"));
    assert_eq!(clock.monotonic(), Duration::from_micros(1), "a jump moves the wall clock alone");
}

proptest! {
    #[test]
    fn every_moment_comes_back_from_its_text(micros in any::<i64>()) {
        let moment = Timestamp::from_micros(micros);
        prop_assert_eq!(parse(&moment.to_string()), moment);
    }

    #[test]
    fn texts_sort_as_their_moments(one in any::<i64>(), other in any::<i64>()) {
        let (one, other) = (Timestamp::from_micros(one), Timestamp::from_micros(other));
        prop_assert_eq!(one.to_string().cmp(&other.to_string()), one.cmp(&other));
    }

    #[test]
    fn any_text_is_a_moment_or_invalid(text in ".{0,40}") {
        if let Err(error) = text.parse::<Timestamp>() {
            prop_assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }
}
