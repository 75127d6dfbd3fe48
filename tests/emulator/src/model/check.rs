//! Checks of JSON documents against shapes: lenient for requests, strict for responses.

use serde_json::{Map, Value};

use super::{Bounds, Member, Model, Place, Shape};

/// One thing wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field in the request, such as `match.httpMatch.method`.
    pub field: String,
    /// What is wrong, for a person.
    pub message: String,
    /// Whether the value has another JSON type than the model's, so that it cannot even be parsed.
    pub unparsable: bool,
}

/// Nesting that a document may have. The model's deepest shape has eight levels.
const MAX_DEPTH: usize = 16;

struct Walk<'a> {
    model: &'a Model,
    /// Whether unknown members and nulls are problems: yes for responses, no for requests.
    strict: bool,
    problems: Vec<Problem>,
}

/// Checks a request: required members, types, bounds, patterns, enums, unions. Unknown members are ignored and
/// a null counts as absent, as AWS's services do.
pub fn request(model: &Model, shape: &str, document: &Map<String, Value>) -> Vec<Problem> {
    run(model, shape, document, false)
}

/// Checks a response: everything a request is checked for, and no member outside the model, no null.
pub fn response(model: &Model, shape: &str, document: &Map<String, Value>) -> Vec<Problem> {
    run(model, shape, document, true)
}

fn run(model: &Model, shape: &str, document: &Map<String, Value>, strict: bool) -> Vec<Problem> {
    let mut walk = Walk { model, strict, problems: Vec::new() };
    if let Some(Shape::Struct { union, members }) = model.shape(shape) {
        walk.structure("", *union, members, document, 0);
    }
    walk.problems
}

impl Walk<'_> {
    fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(Problem { field: field.to_owned(), message: message.into(), unparsable: false });
    }

    fn mistyped(&mut self, field: &str, wanted: &str) {
        let message = format!("must be {wanted}");
        self.problems.push(Problem { field: field.to_owned(), message, unparsable: true });
    }

    fn structure(
        &mut self,
        at: &str,
        union: bool,
        members: &[Member],
        document: &Map<String, Value>,
        depth: usize,
    ) {
        let mut set = 0_usize;
        for member in members.iter().filter(|member| member.place != Place::Header) {
            let field = if at.is_empty() { member.name.clone() } else { format!("{at}.{}", member.name) };
            match document.get(&member.name) {
                None | Some(Value::Null) if member.required => self.refuse(&field, "is required"),
                Some(Value::Null) if self.strict => self.refuse(&field, "is null"),
                None | Some(Value::Null) => {}
                Some(value) => {
                    set += 1;
                    self.value(&field, &member.shape, value, depth + 1);
                }
            }
        }
        if union && set != 1 {
            self.refuse(at, "must have exactly one member set");
        }
        if self.strict {
            let unknown = document.keys().filter(|key| !members.iter().any(|member| &member.name == *key));
            for key in unknown.cloned().collect::<Vec<_>>() {
                self.refuse(&format!("{at}.{key}"), "is not in the model");
            }
        }
    }

    fn value(&mut self, field: &str, shape: &str, value: &Value, depth: usize) {
        if depth > MAX_DEPTH {
            return self.refuse(field, "is nested too deep");
        }
        let model = self.model;
        match (model.shape(shape), value) {
            (Some(Shape::Struct { union, members }), Value::Object(document)) => {
                self.structure(field, *union, members, document, depth);
            }
            (Some(Shape::Struct { .. } | Shape::Map(..)), _) if !value.is_object() => {
                self.mistyped(field, "an object");
            }
            (Some(Shape::List(bounds, item)), Value::Array(items)) => {
                self.length(field, *bounds, items.len(), "items");
                for (index, inner) in items.iter().enumerate() {
                    self.value(&format!("{field}[{index}]"), item, inner, depth + 1);
                }
            }
            (Some(Shape::List(..)), _) => self.mistyped(field, "a list"),
            (Some(Shape::Map(bounds, key, item)), Value::Object(entries)) => {
                self.length(field, *bounds, entries.len(), "entries");
                for (name, inner) in entries {
                    let at = format!("{field}.{name}");
                    self.value(&at, key, &Value::String(name.clone()), depth + 1);
                    self.value(&at, item, inner, depth + 1);
                }
            }
            (Some(Shape::Text(bounds, pattern)), Value::String(text)) => {
                self.length(field, *bounds, text.chars().count(), "characters");
                if pattern.as_ref().is_some_and(|pattern| !pattern.matches(text)) {
                    self.refuse(field, "does not satisfy the pattern of this field");
                }
            }
            (Some(Shape::Enum(values)), Value::String(text)) if !values.contains(text) => {
                self.refuse(field, format!("must be one of {}", values.join(", ")));
            }
            (Some(Shape::Timestamp), Value::String(text)) if text.parse::<jiff::Timestamp>().is_err() => {
                self.refuse(field, "is not an ISO-8601 time");
            }
            (Some(Shape::Enum(_) | Shape::Timestamp), Value::String(_)) => {}
            (Some(Shape::Text(..) | Shape::Enum(_) | Shape::Timestamp), _) => {
                self.mistyped(field, "a string");
            }
            (Some(Shape::Integer(bounds)), value) => match value.as_i64() {
                Some(number) if bounds.hold(number) => {}
                Some(_) => self.refuse(field, format!("must be {}", phrase(*bounds))),
                None => self.mistyped(field, "an integer"),
            },
            (Some(Shape::Boolean), value) if !value.is_boolean() => self.mistyped(field, "true or false"),
            (None, _) => self.refuse(field, "has a shape that the model does not describe"),
            _ => {}
        }
    }

    fn length(&mut self, field: &str, bounds: Bounds, length: usize, unit: &str) {
        if !bounds.hold(i64::try_from(length).unwrap_or(i64::MAX)) {
            self.refuse(field, format!("must have {} {unit}", phrase(bounds)));
        }
    }
}

fn phrase(bounds: Bounds) -> String {
    match (bounds.min, bounds.max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "any number of".to_owned(),
    }
}
