//! What a window looks like at a moment: how far it is, how long it has left, how it will end.

use std::collections::BTreeMap;

use outlast_core::{Timestamp, Window, WindowKind, WindowStatus};
use serde::Serialize;

/// How pressing the end of a window is.
///
/// By what is left of its time: `critical` under 10 seconds; else `warning` under 30 seconds or
/// under a quarter of it; else `caution` up to and with half of it; else `safe`. A window of 10
/// seconds is critical from its start. Where a number of artifacts ends a window: `critical` if
/// the next one does, else by the same shares. A window that neither ends is `safe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// More than half is left.
    Safe,
    /// A quarter to a half is left.
    Caution,
    /// Little is left.
    Warning,
    /// It is about to end.
    Critical,
}

/// How a batch will end, if artifacts go on coming as they did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlushPrediction {
    /// It will be full.
    OnSize,
    /// Its time will be over. Of a batch with a size too, unless a larger share of its items has
    /// come than of its time has passed.
    OnTimeout,
}

/// What a window looks like at a moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum WindowState {
    /// A join, or a gate without a key.
    Join(JoinState),
    /// A batch.
    Batch(BatchState),
}

/// What is so of both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CommonState {
    /// The window.
    pub window_id: String,
    /// Its agent.
    pub agent_name: String,
    /// Its subscription.
    pub subscription: String,
    /// Where that stands among those of the agent.
    pub subscription_index: u32,
    /// Where it is in its life.
    pub status: WindowStatus,
    /// When its first artifact came.
    pub created_at: Timestamp,
    /// How long ago, with one decimal.
    pub elapsed_seconds: f64,
    /// How pressing its end is.
    pub urgency: Urgency,
}

/// What a join looks like at a moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JoinState {
    /// What is so of both.
    #[serde(flatten)]
    pub common: CommonState,
    /// The key, as canonical JSON: `1` and `"1"` are two.
    pub correlation_key: Option<String>,
    /// How many of each type are there.
    pub collected_types: BTreeMap<String, u32>,
    /// How many of each it needs.
    pub required_types: BTreeMap<String, u32>,
    /// The types of which some are missing, in the order of declaration.
    pub waiting_for: Vec<String>,
    /// How long until it expires, with one decimal and never negative; if time ends it.
    pub expires_in_seconds: Option<f64>,
    /// How many more artifacts it lives through, never negative; if a number ends it.
    pub expires_in_artifacts: Option<u64>,
    /// Whether it has all it needs.
    pub is_complete: bool,
    /// Whether its time is over.
    pub is_expired: bool,
}

/// What a batch looks like at a moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BatchState {
    /// What is so of both.
    #[serde(flatten)]
    pub common: CommonState,
    /// How many items it has; what a join put together is one.
    pub items_collected: u32,
    /// With how many it is full.
    pub items_target: Option<u32>,
    /// How many are missing.
    pub items_remaining: Option<u32>,
    /// How long it waits in all, in whole seconds, cut off.
    pub timeout_seconds: Option<u64>,
    /// How long it still does, with one decimal and never negative.
    pub timeout_remaining_seconds: Option<f64>,
    /// How it will end.
    pub will_flush: FlushPrediction,
}

impl WindowState {
    /// What the window with this id looks like now. `seq` is how many artifacts matched its
    /// subscription, where a number ends it.
    pub fn of(id: &str, window: &Window, now: Timestamp, seq: u64) -> Self {
        let passed = seq.saturating_sub(window.opened_at_seq);
        let left = window.window_count.map(|count| count.saturating_sub(passed));
        let common = CommonState {
            window_id: id.to_owned(),
            agent_name: window.agent_name.clone(),
            subscription: window.subscription.clone(),
            subscription_index: window.subscription_index,
            status: window.status,
            created_at: window.created_at,
            elapsed_seconds: tenths(window.created_at, now),
            urgency: urgency(window, now, left),
        };
        match window.operation {
            WindowKind::Join => Self::Join(join_state(window, now, common, (passed, left))),
            WindowKind::Batch => Self::Batch(batch_state(window, now, common)),
        }
    }

    /// What is so of both.
    pub fn common(&self) -> &CommonState {
        match self {
            Self::Join(state) => &state.common,
            Self::Batch(state) => &state.common,
        }
    }
}

fn join_state(
    window: &Window,
    now: Timestamp,
    common: CommonState,
    (passed, left): (u64, Option<u64>),
) -> JoinState {
    let has = |name: &String| window.collected.get(name).copied().unwrap_or(0);
    let needs = |name: &String| window.required.get(name).copied().unwrap_or(0);
    let waiting_for: Vec<String> =
        window.types.iter().filter(|name| has(name) < needs(name)).cloned().collect();
    let is_passed = window.window_count.is_some_and(|count| passed > count);
    JoinState {
        correlation_key: window.correlation_key.clone(),
        collected_types: window.collected.clone(),
        required_types: window.required.clone(),
        is_complete: waiting_for.is_empty(),
        waiting_for,
        expires_in_seconds: window.window_end.map(|end| tenths(now, end)),
        expires_in_artifacts: left,
        is_expired: is_passed || window.window_end.is_some_and(|end| now > end),
        common,
    }
}

fn batch_state(window: &Window, now: Timestamp, common: CommonState) -> BatchState {
    let collected = window.items_collected;
    BatchState {
        common,
        items_collected: collected,
        items_target: window.items_target,
        items_remaining: window.items_target.map(|target| target.saturating_sub(collected)),
        timeout_seconds: window.window_ms.map(|millis| millis / 1000),
        timeout_remaining_seconds: window.window_end.map(|end| tenths(now, end)),
        will_flush: prediction(window, now),
    }
}

fn prediction(window: &Window, now: Timestamp) -> FlushPrediction {
    match (window.items_target, window.window_ms) {
        (Some(_), None) => FlushPrediction::OnSize,
        (Some(target), Some(millis)) => {
            let elapsed = now.since(window.created_at).as_micros();
            let items = u128::from(window.items_collected) * u128::from(millis) * 1000;
            if items > elapsed.saturating_mul(u128::from(target)) {
                FlushPrediction::OnSize
            } else {
                FlushPrediction::OnTimeout
            }
        }
        (None, _) => FlushPrediction::OnTimeout,
    }
}

fn urgency(window: &Window, now: Timestamp, artifacts_left: Option<u64>) -> Urgency {
    match (window.window_end, window.window_ms, artifacts_left, window.window_count) {
        (Some(end), Some(millis), ..) => {
            let left = u64::try_from(end.since(now).as_micros()).unwrap_or(u64::MAX);
            let all = millis.saturating_mul(1000);
            if left < 10_000_000 {
                Urgency::Critical
            } else if left < 30_000_000 {
                Urgency::Warning
            } else {
                by_share(left, all)
            }
        }
        (_, _, Some(0), _) => Urgency::Critical,
        (_, _, Some(left), Some(all)) => by_share(left, all),
        _ => Urgency::Safe,
    }
}

fn by_share(left: u64, all: u64) -> Urgency {
    let (left, all) = (u128::from(left), u128::from(all));
    if left * 4 < all {
        Urgency::Warning
    } else if left * 2 <= all {
        Urgency::Caution
    } else {
        Urgency::Safe
    }
}

/// From one moment to another in seconds, rounded to a tenth; zero if it is the other way round.
fn tenths(from: Timestamp, to: Timestamp) -> f64 {
    let tenths = to.since(from).as_millis().saturating_add(50) / 100;
    f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use outlast_core::JoinWithin;
    use serde_json::json;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_millis(millis))
    }

    fn batch(items: u32, target: Option<u32>, window_ms: Option<u64>) -> Window {
        let content = json!({
            "status": "waiting", "operation": "batch", "agent_name": "ann", "subscription": "b",
            "subscription_index": 3, "fingerprint": "f", "items_collected": items,
            "items_target": target, "window_ms": window_ms, "opened_at_seq": 0,
            "created_at": at(0), "window_end": window_ms.map(at),
        });
        serde_json::from_value(content).unwrap()
    }

    fn state(window: &Window, millis: u64) -> BatchState {
        match WindowState::of("w", window, at(millis), 0) {
            WindowState::Batch(state) => state,
            WindowState::Join(state) => panic!("{state:?}"),
        }
    }

    fn urgency_at(window_ms: u64, millis: u64) -> Urgency {
        state(&batch(1, None, Some(window_ms)), millis).common.urgency
    }

    #[test]
    fn a_batch_flushes_on_size_iff_it_fills_faster_than_its_time_passes() {
        use FlushPrediction::{OnSize, OnTimeout};

        let will =
            |items, target, window, millis| state(&batch(items, target, window), millis).will_flush;
        assert_eq!(will(1, Some(10), None, 1_000_000), OnSize);
        assert_eq!(will(1, None, Some(10), 5), OnTimeout);
        assert_eq!(will(5, Some(10), Some(10_000), 4_999), OnSize);
        assert_eq!(will(5, Some(10), Some(10_000), 5_000), OnTimeout, "as fast is not faster");
        assert_eq!(will(1, Some(1), Some(1), 0), OnSize);
    }

    #[test]
    fn urgency_has_these_bounds() {
        use Urgency::{Caution, Critical, Safe, Warning};

        let of_200 = [
            (0, Safe),
            (99_999, Safe),
            (100_000, Caution),
            (150_000, Caution),
            (150_001, Warning),
            (190_000, Warning),
            (190_001, Critical),
            (300_000, Critical),
        ];
        for (millis, urgency) in of_200 {
            assert_eq!(urgency_at(200_000, millis), urgency, "{millis} ms of 200 s");
        }
        assert_eq!(urgency_at(40_000, 10_000), Safe, "30 s of 40 s are three quarters");
        assert_eq!(urgency_at(40_000, 10_001), Warning, "under 30 s");
        assert_eq!(urgency_at(9_999, 0), Critical);
        assert_eq!(state(&batch(1, Some(5), None), 1_000_000).common.urgency, Safe);
    }

    #[test]
    fn the_fields_of_a_batch_are_rounded_and_never_negative() {
        let now = state(&batch(2, Some(5), Some(61_900)), 1_249);
        let elapsed = Some(now.common.elapsed_seconds);
        assert_eq!((elapsed, now.timeout_remaining_seconds), (Some(1.2), Some(60.7)));
        assert_eq!(now.timeout_seconds, Some(61));
        assert_eq!((now.items_target, now.items_remaining), (Some(5), Some(3)));
        let late = state(&batch(7, Some(5), Some(1_000)), 5_000);
        assert_eq!((late.timeout_remaining_seconds, late.items_remaining), (Some(0.0), Some(0)));
        let timeless = state(&batch(2, Some(5), None), 0);
        assert_eq!((timeless.timeout_seconds, timeless.timeout_remaining_seconds), (None, None));
        let sizeless = state(&batch(2, None, Some(5)), 0);
        assert_eq!((sizeless.items_target, sizeless.items_remaining), (None, None));
    }

    fn join(within: JoinWithin) -> Window {
        let (ms, count) = match within {
            JoinWithin::Time(ms) => (Some(ms), None),
            JoinWithin::Count(count) => (None, Some(count)),
        };
        let more = json!({
            "operation": "join", "types": ["b", "a"], "required": { "a": 2, "b": 1 },
            "collected": { "a": 1, "b": 1 }, "window_count": count, "opened_at_seq": 5,
            "correlation_key": "\"1\"",
        });
        let mut content = serde_json::to_value(batch(2, None, ms)).unwrap();
        content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(content).unwrap()
    }

    fn join_at(within: JoinWithin, millis: u64, seq: u64) -> JoinState {
        match WindowState::of("w", &join(within), at(millis), seq) {
            WindowState::Join(state) => state,
            WindowState::Batch(state) => panic!("{state:?}"),
        }
    }

    #[test]
    fn a_join_says_what_it_waits_for_and_until_when() {
        use Urgency::{Caution, Critical, Safe, Warning};

        let timed = join_at(JoinWithin::Time(10_000), 10_000, 0);
        assert_eq!((timed.expires_in_seconds, timed.expires_in_artifacts), (Some(0.0), None));
        assert!(!timed.is_expired, "in its last moment it is not over");
        assert!(!timed.is_complete);
        assert_eq!(timed.waiting_for, ["a"]);
        let over = Timestamp::from_micros(at(10_000).as_micros() + 1);
        let over = WindowState::of("w", &join(JoinWithin::Time(10_000)), over, 0);
        assert!(matches!(over, WindowState::Join(state) if state.is_expired));

        let counted = |seq| join_at(JoinWithin::Count(8), 1_000_000, seq);
        let left = |seq| counted(seq).expires_in_artifacts;
        assert_eq!([5, 6, 13, 20].map(left), [Some(8), Some(7), Some(0), Some(0)]);
        assert_eq!(counted(5).expires_in_seconds, None);
        assert_eq!((counted(13).is_expired, counted(14).is_expired), (false, true));
        let urgency = [5, 9, 11, 12, 13].map(|seq| counted(seq).common.urgency);
        assert_eq!(urgency, [Safe, Caution, Caution, Warning, Critical]);
    }

    #[test]
    fn the_json_of_a_state_is_flat_and_names_its_operation() {
        let state = WindowState::of("w", &join(JoinWithin::Time(10_000)), at(0), 0);
        let json = serde_json::to_value(&state).unwrap();
        assert_eq!(json["operation"], "join");
        assert_eq!((&json["window_id"], &json["correlation_key"]), (&json!("w"), &json!("\"1\"")));
        assert_eq!((&json["urgency"], &json["elapsed_seconds"]), (&json!("warning"), &json!(0.0)));
    }
}
