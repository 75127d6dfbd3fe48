//! Reader of the table's lines.

use std::collections::{BTreeMap, HashMap};

use super::{Bounds, Member, Model, Operation, Pattern, Place, Segment, Shape, TableError};

/// Reads the whole table.
pub(super) fn parse(text: &str) -> Result<Model, TableError> {
    let mut model = Model { version: String::new(), operations: BTreeMap::new(), shapes: HashMap::new() };
    for (index, line) in text.lines().enumerate() {
        let refuse = || TableError::Line { line: index + 1, text: line.to_owned() };
        let (kind, rest) = line.split_once(' ').ok_or_else(refuse)?;
        match kind {
            "model" => rest.clone_into(&mut model.version),
            "op" => {
                let operation = operation(rest).ok_or_else(refuse)?;
                model.operations.insert(operation.name.clone(), operation);
            }
            _ => {
                let (name, body) = rest.split_once(' ').unwrap_or((rest, ""));
                let shape = shape(kind, name, body)?.ok_or_else(refuse)?;
                model.shapes.insert(name.to_owned(), shape);
            }
        }
    }
    complete(&model)?;
    Ok(model)
}

fn operation(rest: &str) -> Option<Operation> {
    let mut fields = rest.split(' ');
    let name = fields.next()?.to_owned();
    let method = fields.next()?.to_owned();
    let path = fields.next()?.trim_start_matches('/').split('/').map(segment).collect();
    let success = fields.next()?.parse().ok()?;
    let errors = fields.next()?.to_owned();
    Some(Operation { name, method, path, success, errors })
}

fn segment(text: &str) -> Segment {
    match text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
        Some(member) => Segment::Member(member.to_owned()),
        None => Segment::Literal(text.to_owned()),
    }
}

/// `Ok(None)` = the line cannot be read.
fn shape(kind: &str, name: &str, body: &str) -> Result<Option<Shape>, TableError> {
    let words: Vec<&str> = body.split(' ').filter(|word| !word.is_empty()).collect();
    let shape = match (kind, words.as_slice()) {
        ("struct" | "union", words) => {
            let members: Option<Vec<Member>> = words.iter().map(|word| member(word)).collect();
            members.map(|members| Shape::Struct { union: kind == "union", members })
        }
        ("list", [min, max, item]) => Some(Shape::List(bounds(min, max), (*item).to_owned())),
        ("map", [min, max, key, value]) => {
            Some(Shape::Map(bounds(min, max), (*key).to_owned(), (*value).to_owned()))
        }
        ("enum", values) => Some(Shape::Enum(values.iter().map(|value| (*value).to_owned()).collect())),
        ("string", [min, max]) => Some(Shape::Text(bounds(min, max), None)),
        ("string", [min, max, pattern]) => {
            let pattern = Pattern::new(pattern)
                .map_err(|source| TableError::Pattern { shape: name.to_owned(), source: Box::new(source) })?;
            Some(Shape::Text(bounds(min, max), Some(pattern)))
        }
        ("integer" | "long", [min, max]) => Some(Shape::Integer(bounds(min, max))),
        ("boolean", _) => Some(Shape::Boolean),
        ("timestamp", _) => Some(Shape::Timestamp),
        _ => None,
    };
    Ok(shape)
}

fn bounds(min: &str, max: &str) -> Bounds {
    Bounds { min: min.parse().ok(), max: max.parse().ok() }
}

/// `name[=wire][!]:Shape[@place][~]`.
fn member(word: &str) -> Option<Member> {
    let (label, rest) = word.split_once(':')?;
    let (rest, token) = rest.strip_suffix('~').map_or((rest, false), |rest| (rest, true));
    let (shape, place) = match rest.split_once('@') {
        None => (rest, Place::Body),
        Some((shape, "path")) => (shape, Place::Path),
        Some((shape, "query")) => (shape, Place::Query),
        Some((shape, "header")) => (shape, Place::Header),
        Some(_) => return None,
    };
    let (label, required) = label.strip_suffix('!').map_or((label, false), |label| (label, true));
    let (name, wire) = label.split_once('=').unwrap_or((label, label));
    Some(Member {
        name: name.to_owned(),
        wire: wire.to_owned(),
        shape: shape.to_owned(),
        required,
        place,
        token,
    })
}

/// Every shape that is named must be described.
fn complete(model: &Model) -> Result<(), TableError> {
    let known = |name: &str| {
        model.shapes.contains_key(name).then_some(()).ok_or_else(|| TableError::Unknown(name.to_owned()))
    };
    for operation in model.operations.values() {
        known(&operation.input())?;
        known(&operation.output())?;
    }
    for shape in model.shapes.values() {
        match shape {
            Shape::Struct { members, .. } => members.iter().try_for_each(|member| known(&member.shape))?,
            Shape::List(_, item) => known(item)?,
            Shape::Map(_, key, value) => known(key).and_then(|()| known(value))?,
            _ => {}
        }
    }
    Ok(())
}
