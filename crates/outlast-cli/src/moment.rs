//! Moments as people write them: a time, a day, or how long ago.

use outlast::{Clock as _, Error, Result, SystemClock, Timestamp};

use crate::duration;

/// Reads an RFC 3339 time, a day (its beginning in UTC), or a length of time before now;
/// `Invalid` for anything else.
pub(crate) fn parse(text: &str) -> Result<Timestamp> {
    parse_at(text, SystemClock::default().now())
}

fn parse_at(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(ago) = duration::parse(text) {
        return Ok(now.minus(ago));
    }
    let is_day = text.len() == "2026-01-31".len();
    let moment = if is_day { format!("{text}T00:00:00Z").parse() } else { text.parse() };
    moment.map_err(|_: Error| {
        Error::invalid(format!(
            "{text:?} is no moment; write a time as in 2026-01-31T12:00:00Z, a day as in \
             2026-01-31, or how long ago as in 2h"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_a_day_or_how_long_ago() {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        let table = [
            ("2026-03-01T10:30:00Z", "2026-03-01T10:30:00.000000Z"),
            ("2026-03-01T10:30:00.5+01:00", "2026-03-01T09:30:00.500000Z"),
            ("2026-03-01", "2026-03-01T00:00:00.000000Z"),
            ("2h", "2026-03-02T10:00:00.000000Z"),
            ("0s", "2026-03-02T12:00:00.000000Z"),
        ];
        for (text, moment) in table {
            assert_eq!(parse_at(text, now).unwrap().to_string(), moment, "{text}");
        }
        for text in ["", "now", "yesterday", "2026-13-01", "2026-03-01 10:00", "12:00", "-2h", "2"]
        {
            let error = parse_at(text, now).unwrap_err().to_string();
            assert!(error.contains("as in 2h"), "{text}: {error}");
        }
    }
}
