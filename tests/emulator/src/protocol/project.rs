//! From everything there is to show to what a response shows: a member that the output's shape lacks is left
//! out. So a Get, a List summary and an Update response of one resource come from one view.

use serde_json::{Map, Value};

use crate::model::{Model, Shape};
use crate::state::{Delay, Moment};

/// The members of `document` that the structure `shape` has, on every level.
pub fn project(model: &Model, shape: &str, document: Map<String, Value>) -> Map<String, Value> {
    let members = model.members(shape);
    document
        .into_iter()
        .filter_map(|(name, value)| {
            let member = members.iter().find(|member| member.name == name)?;
            Some((name, inner(model, &member.shape, value)))
        })
        .collect()
}

fn inner(model: &Model, shape: &str, value: Value) -> Value {
    match (model.shape(shape), value) {
        (Some(Shape::Struct { .. }), Value::Object(document)) => {
            Value::Object(project(model, shape, document))
        }
        (Some(Shape::List(_, item)), Value::Array(items)) => {
            items.into_iter().map(|value| inner(model, item, value)).collect()
        }
        (_, value) => value,
    }
}

/// A list without the items that were created within `age` before `now`: as a replica that lags behind shows it.
pub(super) fn older(mut document: Map<String, Value>, now: Moment, age: Delay) -> Map<String, Value> {
    let horizon = Moment(now.0.saturating_sub(i64::try_from(age.0).unwrap_or(i64::MAX))).iso();
    if let Some(Value::Array(items)) = document.get_mut("items") {
        items.retain(|item| {
            let created = item.get("createdAt").and_then(Value::as_str);
            created.is_none_or(|created| created <= horizon.as_str())
        });
    }
    document
}
