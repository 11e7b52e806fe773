//! Lengths of time as people write them: `500ms`, `30s`, `10m`, `12h`, `30d`.

use std::time::Duration;

use outlast::{Error, Result};

const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60 * 1000),
    ("h", 3600 * 1000),
    ("d", 24 * 3600 * 1000),
    ("w", 7 * 24 * 3600 * 1000),
];

/// Reads a whole number and its unit; `Invalid` for anything else.
pub(crate) fn parse(text: &str) -> Result<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, millis)| millis);
    let millis = millis.and_then(|millis| number.parse::<u64>().ok()?.checked_mul(*millis));
    millis.map(Duration::from_millis).ok_or_else(|| {
        Error::invalid(format!(
            "{text:?} is no length of time; write a number and ms, s, m, h, d or w, as in 30d"
        ))
    })
}

/// The same for people: at most two units, the greatest ones.
pub(crate) fn display(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds < 10 => format!("{}.{}s", seconds, duration.subsec_millis() / 100),
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, ..) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_a_unit() {
        let table = [("500ms", 500), ("0s", 0), ("90m", 5_400_000), ("30d", 2_592_000_000)];
        for (text, millis) in table {
            assert_eq!(parse(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "30", "d", "-1d", "1.5h", "1d12h", "30 d", "30D", "99999999999999999999d"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&format!("{}d", u64::MAX)).is_err());
    }

    #[test]
    fn people_see_two_units_at_most() {
        let table = [(0, "0.0s"), (9_940, "9.9s"), (59_000, "59s"), (61_000, "1m01s")];
        for (millis, text) in table {
            assert_eq!(display(Duration::from_millis(millis)), text);
        }
        assert_eq!(display(Duration::from_hours(73)), "3d01h");
    }
}
