//! Places in payloads, and the keys found there.

use std::cmp::Ordering;

use outlast_core::PredicateTest;
use serde_json::{Number, Value};

/// The longest key, in bytes of its canonical text.
const MAX_KEY_BYTES: usize = 1024;

/// What stands at a place: names of fields and numbers of elements, divided by dots.
pub(super) fn at<'a>(payload: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(payload, |value, step| match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(elements) => elements.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The key at a place, in the one text that all equal keys have: `"1"` and `1` are two keys, `1`
/// and `1.0` are one. The error says why there is none.
pub(super) fn key_at(payload: &Value, path: &str) -> Result<String, &'static str> {
    let key = match at(payload, path) {
        None => return Err("its payload has no such place"),
        Some(Value::Null) => return Err("its key is null"),
        Some(Value::Array(_) | Value::Object(_)) => return Err("its key is not a single value"),
        Some(Value::Number(number)) => canonical(number),
        Some(value) => value.to_string(),
    };
    if key.len() > MAX_KEY_BYTES { Err("its key is too long") } else { Ok(key) }
}

fn canonical(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
            // Zero has two signs and is one number.
            format!("{:.0}", if float == 0.0 { 0.0 } else { float })
        }
        _ => number.to_string(),
    }
}

/// Whether what stands at a place passes.
pub(super) fn passes(found: Option<&Value>, test: &PredicateTest) -> bool {
    let found = found.filter(|value| !value.is_null());
    match (test, found) {
        (PredicateTest::Exists(wanted), _) => found.is_some() == *wanted,
        (PredicateTest::Is(wanted), Some(found)) => equal(found, wanted),
        (PredicateTest::IsNot(unwanted), Some(found)) => !equal(found, unwanted),
        (PredicateTest::OneOf(wanted), Some(found)) => wanted.iter().any(|one| equal(found, one)),
        (PredicateTest::AtLeast(least), Some(Value::Number(found))) => {
            compare(found, least).is_some_and(Ordering::is_ge)
        }
        (PredicateTest::AtMost(most), Some(Value::Number(found))) => {
            compare(found, most).is_some_and(Ordering::is_le)
        }
        _ => false,
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            compare(left, right).is_some_and(Ordering::is_eq)
        }
        _ => left == right,
    }
}

/// Whole numbers exactly, others as floating point.
fn compare(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(payload: &Value) -> Result<String, &'static str> {
        key_at(&json!({ "order": { "ids": [payload] } }), "order.ids.0")
    }

    #[test]
    fn keys_of_another_type_are_other_keys_and_equal_numbers_are_one() {
        assert_eq!(key(&json!(1)).unwrap(), "1");
        assert_eq!(key(&json!("1")).unwrap(), "\"1\"");
        assert_eq!(key(&json!(1.0)).unwrap(), "1");
        assert_eq!(key(&json!(-0.0)).unwrap(), key(&json!(0)).unwrap());
        assert_eq!(key(&json!(1.5)).unwrap(), "1.5");
        assert_eq!(key(&json!(u64::MAX)).unwrap(), u64::MAX.to_string());
        assert_eq!(key(&json!(true)).unwrap(), "true");
        assert_ne!(key(&json!("true")).unwrap(), key(&json!(true)).unwrap());
        assert_eq!(key(&json!("")).unwrap(), "\"\"");
    }

    #[test]
    fn what_is_no_key_says_why() {
        for none in [json!(null), json!(f64::NAN), json!([1]), json!({}), json!("x".repeat(2000))] {
            assert!(key(&none).is_err(), "{none}");
        }
        for path in ["order", "order.id", "order.ids.1", "order.ids.x", "order.ids.0.x", "nothing"]
        {
            assert!(key_at(&json!({ "order": { "ids": [1] } }), path).is_err(), "{path}");
        }
    }

    #[test]
    fn predicates_compare_numbers_by_value_and_fail_where_nothing_is() {
        let test = |test: PredicateTest, found: Value| passes(Some(&found), &test);
        assert!(test(PredicateTest::Is(json!(1)), json!(1.0)));
        assert!(!test(PredicateTest::Is(json!("1")), json!(1)));
        assert!(!passes(None, &PredicateTest::IsNot(json!(1))));
        assert!(test(PredicateTest::IsNot(json!(1)), json!(2)));
        assert!(test(PredicateTest::OneOf(vec![json!("a"), json!("b")]), json!("b")));
        assert!(test(PredicateTest::AtLeast(Number::from(5)), json!(5)));
        assert!(!test(PredicateTest::AtLeast(Number::from(5)), json!("6")));
        assert!(!test(PredicateTest::AtMost(Number::from(5)), json!(5.1)));
        assert!(test(PredicateTest::Exists(false), json!(null)));
        assert!(passes(None, &PredicateTest::Exists(false)));
    }
}
