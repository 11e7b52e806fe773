//! The fields of stored content, as lines for people.

use std::fmt;

use outlast::{AttrName, AttrValue, Json, Result, Timestamp};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::output::{Output, moment};

/// A name and a value.
pub(super) type Fact = (String, String);

/// The fields in the order they are stored in. Content that is no object has one, `content`.
pub(super) fn of(state: &Json) -> Vec<Fact> {
    match state.decode::<Fields>() {
        Ok(Fields(fields)) => {
            fields.into_iter().map(|(name, value)| (name, shown(value.get()))).collect()
        }
        Err(_) => vec![("content".to_owned(), shown(state.as_str()))],
    }
}

/// What is known without history. Whatever ends as moments do is one.
pub(super) fn transient(name: &AttrName, value: &AttrValue) -> Fact {
    let is_moment = ["_at", "_seen"].iter().any(|end| name.as_str().ends_with(end));
    let value = match value {
        AttrValue::Int(micros) if is_moment => moment(Timestamp::from_micros(*micros)),
        other => other.to_string(),
    };
    (name.to_string(), value)
}

/// Text without its quotes, moments to the second, anything else as JSON.
fn shown(json: &str) -> String {
    match serde_json::from_str::<String>(json) {
        Ok(text) => text.parse().map_or(text, moment),
        Err(_) => json.to_owned(),
    }
}

/// A line for each.
pub(super) fn print(out: &mut Output, facts: &[Fact]) -> Result<(), Failure> {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    facts.iter().try_for_each(|(name, fact)| out.line(&format!("{name:<width$} {fact}")))
}

/// The fields of an object in their order.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stay_in_their_order_and_moments_are_short() {
        let json =
            Json::parse(r#"{"z":1,"a":"x","at":"2026-01-02T03:04:05.000006Z","o":{"k":[]}}"#);
        let facts = of(&json.unwrap());
        let facts: Vec<_> = facts.iter().map(|(name, fact)| (&**name, &**fact)).collect();
        let expected =
            [("z", "1"), ("a", "x"), ("at", "2026-01-02T03:04:05Z"), ("o", r#"{"k":[]}"#)];
        assert_eq!(facts, expected);
        assert_eq!(of(&Json::parse("7").unwrap())[0].1, "7");
    }
}
