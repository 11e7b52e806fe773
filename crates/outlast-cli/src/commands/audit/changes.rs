//! Which fields of an entity a change changed.

use std::collections::BTreeMap;
use std::fmt;

use outlast::store::AuditState;
use serde::Serialize;
use serde_json::Value;

/// The fields that differ; none unless both contents are shown and are objects.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Changes(BTreeMap<String, Change>);

#[derive(Debug, Serialize)]
struct Change {
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
}

/// Values longer than this are named only, for people.
const SHORT: usize = 32;

impl Changes {
    pub(super) fn between(before: &AuditState, after: &AuditState) -> Self {
        let (Some(mut before), Some(after)) = (fields(before), fields(after)) else {
            return Self::default();
        };
        let mut changes = BTreeMap::new();
        for (name, after) in after {
            let before = before.remove(&name);
            if before.as_ref() != Some(&after) {
                changes.insert(name, Change { before, after: Some(after) });
            }
        }
        let gone = before.into_iter();
        changes
            .extend(gone.map(|(name, value)| (name, Change { before: Some(value), after: None })));
        Self(changes)
    }
}

fn fields(state: &AuditState) -> Option<BTreeMap<String, Value>> {
    state.content()?.decode().ok()
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.iter().map(|(name, change)| {
            match (shown(change.before.as_ref()), shown(change.after.as_ref())) {
                (Some(before), Some(after)) => format!("{name} {before} > {after}"),
                _ => name.clone(),
            }
        });
        f.write_str(&words.collect::<Vec<_>>().join(", "))
    }
}

/// A value that is short enough; `-` where there was none.
fn shown(value: Option<&Value>) -> Option<String> {
    let text = match value {
        None => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Some(text).filter(|text| text.chars().count() <= SHORT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use outlast::Json;

    fn state(text: &str) -> AuditState {
        AuditState::Shown(Json::parse(text).unwrap())
    }

    #[test]
    fn fields_that_differ_are_named_with_what_they_were_and_are() {
        let before = state(r#"{"status":"active","same":1,"gone":true}"#);
        let after = state(&format!(
            r#"{{"status":"paused","same":1,"new":[1],"long":{:?}}}"#,
            "x".repeat(50)
        ));
        let changes = Changes::between(&before, &after);
        let text = "gone true > -, long, new - > [1], status active > paused";
        assert_eq!(changes.to_string(), text);
        let json = serde_json::to_value(&changes).unwrap();
        assert_eq!(json["status"], serde_json::json!({"before": "active", "after": "paused"}));
        assert_eq!(json["gone"], serde_json::json!({"before": true}));
        for other in [AuditState::Absent, AuditState::Hidden, state("7")] {
            assert_eq!(Changes::between(&other, &after).to_string(), "");
        }
    }
}
