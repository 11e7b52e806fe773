//! Attribute values as SQLite compares them: integers before texts, texts by their bytes.

use std::ops::Bound;

use outlast_core::{AttrValue, Filter, Test};

use crate::script::Script;

/// Binds a value with the type it has.
pub(crate) fn bind_value(script: &mut Script, value: &AttrValue) {
    match value {
        AttrValue::Int(value) => script.bind(*value),
        AttrValue::Text(value) => script.bind(&**value),
    };
}

/// Adds a placeholder for a value and binds it.
pub(crate) fn push_value(script: &mut Script, value: &AttrValue) {
    script.sql("?");
    bind_value(script, value);
}

/// Adds the condition that `column` passes a filter's test.
pub(crate) fn push_test(script: &mut Script, column: &str, filter: &Filter) {
    match &filter.test {
        Test::AnyOf(values) => {
            script.sql(column).sql(" IN (");
            for (place, value) in values.iter().enumerate() {
                script.sql(if place == 0 { "" } else { "," });
                push_value(script, value);
            }
            script.sql(")");
        }
        Test::Within(low, high) => push_range(script, column, low, high),
    }
}

fn push_range(script: &mut Script, column: &str, low: &Bound<AttrValue>, high: &Bound<AttrValue>) {
    let of_int = |bound: &Bound<AttrValue>| match bound {
        Bound::Unbounded => None,
        Bound::Included(value) | Bound::Excluded(value) => Some(matches!(value, AttrValue::Int(_))),
    };
    match (of_int(low), of_int(high)) {
        (Some(low), Some(high)) if low != high => {
            script.sql("0");
            return;
        }
        (None, None) => {
            script.sql(column).sql(" IS NOT NULL");
            return;
        }
        _ => {}
    }
    let ints = of_int(low).or(of_int(high)) == Some(true);
    script.sql(column);
    match low {
        // The empty text is the first of all texts, and after all integers.
        Bound::Unbounded if ints => script.sql(" IS NOT NULL"),
        Bound::Unbounded => script.sql(" >= ''"),
        Bound::Included(_) => script.sql(" >= "),
        Bound::Excluded(_) => script.sql(" > "),
    };
    push_bound(script, low);
    script.sql(" AND ").sql(column);
    match high {
        Bound::Unbounded if ints => script.sql(" < ''"),
        Bound::Unbounded => script.sql(" < x''"),
        Bound::Included(_) => script.sql(" <= "),
        Bound::Excluded(_) => script.sql(" < "),
    };
    push_bound(script, high);
}

fn push_bound(script: &mut Script, bound: &Bound<AttrValue>) {
    if let Bound::Included(value) | Bound::Excluded(value) = bound {
        push_value(script, value);
    }
}
