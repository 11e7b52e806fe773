//! One line per figure.

use std::time::Duration;

use serde::Serialize;

/// A figure, and what is aimed at.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) what: String,
    pub(crate) value: Option<f64>,
    /// At most so much; `None` if nothing is aimed at.
    pub(crate) goal: Option<f64>,
    pub(crate) holds: Option<bool>,
    /// How it came about, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Row {
    /// A figure that should be at most so much.
    pub(crate) fn at_most(id: &'static str, what: &str, value: f64, goal: f64) -> Self {
        let value = rounded(value);
        let (what, holds) = (what.to_owned(), Some(value <= goal));
        Self { id, what, value: Some(value), goal: Some(goal), holds, note: None }
    }

    /// A figure that is only told.
    pub(crate) fn told(id: &'static str, what: &str, value: f64) -> Self {
        Self { id, what: what.to_owned(), value: Some(rounded(value)), ..Self::default() }
    }

    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    pub(crate) fn print(&self) {
        println!("{}", serde_json::to_string(self).unwrap());
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The time that this share of all stays within.
pub(crate) fn within(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    let place = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    times.get(place).copied().unwrap_or_default()
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

pub(crate) fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}
