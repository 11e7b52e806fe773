//! What is measured, and how it is told.

use std::time::{Duration, Instant};

use serde::Serialize;

/// One line of the result.
#[derive(Debug, Default, Serialize)]
pub struct Measured {
    pub work: &'static str,
    pub ops: usize,
    pub seconds: f64,
    pub per_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p999_us: Option<f64>,
    /// Bytes that reached the disk, or that are held in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What was promised of each operation when it was answered.
    pub durability: &'static str,
}

impl Measured {
    pub fn of(work: &'static str, ops: usize, seconds: f64) -> Self {
        let per_second = ops as f64 / seconds;
        Self { work, ops, seconds, per_second, durability: "durable", ..Self::default() }
    }
}

/// Times a piece of work, and what it made the system write.
pub struct Watch {
    start: Instant,
    written: u64,
}

impl Watch {
    pub fn start() -> Self {
        Self { written: written_bytes(), start: Instant::now() }
    }

    /// The result, with the time each operation took.
    pub fn stop(self, work: &'static str, mut times: Vec<Duration>) -> Measured {
        let seconds = self.start.elapsed().as_secs_f64();
        times.sort_unstable();
        let at = |share: f64| {
            let place = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
            times.get(place).map(|time| time.as_secs_f64() * 1e6)
        };
        Measured {
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            bytes: Some(written_bytes().saturating_sub(self.written)),
            ..Measured::of(work, times.len(), seconds)
        }
    }
}

/// What this process has caused to be written to a disk, by the system's own account.
fn written_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

/// How much memory this process holds.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    pages * 4096
}
