//! Conditions of statements.

use std::collections::BTreeMap;

use serde_json::Value;

use super::policy::{Context, wildcard};

/// How the values of a key with several are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    One,
    Any,
    All,
}

/// Whether all conditions hold.
pub(super) fn hold(conditions: &BTreeMap<String, BTreeMap<String, Value>>, context: &Context) -> bool {
    conditions.iter().all(|(operator, keys)| {
        keys.iter().all(|(key, wanted)| holds(operator, &key.to_ascii_lowercase(), wanted, context))
    })
}

fn holds(operator: &str, key: &str, wanted: &Value, context: &Context) -> bool {
    let (quantifier, operator) = match operator.split_once(':') {
        Some(("ForAnyValue", operator)) => (Quantifier::Any, operator),
        Some(("ForAllValues", operator)) => (Quantifier::All, operator),
        _ => (Quantifier::One, operator),
    };
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let wanted = texts(wanted);
    let given = context.get(key);
    if operator == "Null" {
        let absent = given.is_none_or(Vec::is_empty);
        return wanted.iter().any(|wanted| wanted.parse() == Ok(absent));
    }
    let (negated, operator) = positive(operator);
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        // An absent key fails what wants a value and passes what wants it to be another one.
        return if_exists || negated || quantifier == Quantifier::All;
    };
    let fits = |value: &String| {
        let any = wanted.iter().any(|wanted| compare(operator, wanted, value));
        any != negated
    };
    match quantifier {
        Quantifier::All => given.iter().all(fits),
        Quantifier::One if negated => given.iter().all(fits),
        Quantifier::One | Quantifier::Any => given.iter().any(fits),
    }
}

/// The operator without its negation.
fn positive(operator: &str) -> (bool, &str) {
    match operator {
        "StringNotEquals" => (true, "StringEquals"),
        "StringNotEqualsIgnoreCase" => (true, "StringEqualsIgnoreCase"),
        "StringNotLike" => (true, "StringLike"),
        "ArnNotEquals" | "ArnNotLike" => (true, "ArnLike"),
        "NumericNotEquals" => (true, "NumericEquals"),
        other => (false, other),
    }
}

/// Whether a value fits. An operator that is not known here fits nothing.
fn compare(operator: &str, wanted: &str, value: &str) -> bool {
    let numbers = || Some((value.parse::<f64>().ok()?, wanted.parse::<f64>().ok()?));
    match operator {
        "StringEquals" => wanted == value,
        "StringEqualsIgnoreCase" | "Bool" => wanted.eq_ignore_ascii_case(value),
        "StringLike" | "ArnLike" | "ArnEquals" => wildcard(wanted, value, false),
        "NumericEquals" => numbers().is_some_and(|(value, wanted)| value.total_cmp(&wanted).is_eq()),
        "NumericLessThan" => numbers().is_some_and(|(value, wanted)| value < wanted),
        "NumericLessThanEquals" => numbers().is_some_and(|(value, wanted)| value <= wanted),
        "NumericGreaterThan" => numbers().is_some_and(|(value, wanted)| value > wanted),
        "NumericGreaterThanEquals" => numbers().is_some_and(|(value, wanted)| value >= wanted),
        _ => false,
    }
}

fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        other => vec![text(other)],
    }
}
