//! From path, query string and body to one document of named members.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::model::{Member, Model, Operation, Place, Shape};
use crate::state::Refusal;

/// The operation's input. What cannot be parsed as the member's type is kept as text, so that the model's check
/// names the field.
pub(super) fn input(
    model: &Model,
    operation: &Operation,
    segments: &[(String, String)],
    query: Option<&str>,
    body: &[u8],
) -> Result<Map<String, Value>, Refusal> {
    let members = model.members(&operation.input()).to_vec();
    let mut input = if has_body(&members) { object(body)? } else { Map::new() };
    // Members with another place count only there.
    input.retain(|name, _| members.iter().all(|it| it.name != *name || it.place == Place::Body));
    for (name, raw) in segments {
        input.insert(name.clone(), Value::String(decoded(raw)?));
    }
    let pairs = pairs(query.unwrap_or_default())?;
    for member in members.iter().filter(|member| member.place == Place::Query) {
        let values: Vec<&str> =
            pairs.iter().filter(|(name, _)| *name == member.wire).map(|(_, value)| value.as_str()).collect();
        if let Some(value) = typed(model, member, &values) {
            input.insert(member.name.clone(), value);
        }
    }
    Ok(input)
}

fn has_body(members: &[Member]) -> bool {
    members.iter().any(|member| member.place == Place::Body)
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Refusal::unreadable("The body is no JSON object.")),
        Err(error) => Err(Refusal::unreadable(format!("The body is no JSON: {error}."))),
    }
}

fn decoded(raw: &str) -> Result<String, Refusal> {
    percent_decode_str(raw)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Refusal::unreadable("The path or the query string is no UTF-8."))
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, Refusal> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        })
        .collect()
}

fn typed(model: &Model, member: &Member, values: &[&str]) -> Option<Value> {
    let text = || values.last().map(|value| Value::from(*value));
    match model.shape(&member.shape) {
        Some(Shape::List(..)) => {
            (!values.is_empty()).then(|| values.iter().map(|value| Value::from(*value)).collect())
        }
        Some(Shape::Integer(_)) => {
            values.last().and_then(|value| value.parse::<i64>().ok()).map(Value::from).or_else(text)
        }
        Some(Shape::Boolean) => {
            values.last().and_then(|value| value.parse::<bool>().ok()).map(Value::from).or_else(text)
        }
        _ => text(),
    }
}
