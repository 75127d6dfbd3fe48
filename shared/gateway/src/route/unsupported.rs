//! Members of a route that nothing here reads: each is something that a user asked for and will not get.

use crate::api::Rest;
use crate::code::Code;
use crate::problem::{Problem, quoted};
use serde_json::Value;

/// A problem for each member that asks for something. Empty lists and objects ask for nothing, nor does what has nothing else in it.
pub(crate) fn leftovers(path: &str, rest: &Rest) -> Vec<Problem> {
    let asks_for_nothing = |member: &str, value: &Value| {
        is_empty(value)
            || member == "timeouts" && has_no_timeout(value)
            || member == "retry" && value.get("attempts").and_then(Value::as_i64) == Some(0)
    };
    rest.iter()
        .filter(|(member, value)| !asks_for_nothing(member, value))
        .flat_map(|(member, value)| match (member.as_str(), value) {
            ("filters", Value::Array(filters)) => filters
                .iter()
                .enumerate()
                .filter(|(_, filter)| !changes_nothing(filter))
                .map(|(at, filter)| filter_problem(format!("{path}.filters[{at}]"), filter))
                .collect(),
            _ => vec![Problem::new(code_of(member), format!("{path}.{member}"), remedy(member))],
        })
        .collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_empty),
        _ => false,
    }
}

/// A filter that names no header to change, or no part of a URL to rewrite.
fn changes_nothing(filter: &Value) -> bool {
    let what = match filter.get("type").and_then(Value::as_str) {
        Some("RequestHeaderModifier") => "requestHeaderModifier",
        Some("ResponseHeaderModifier") => "responseHeaderModifier",
        Some("URLRewrite") => "urlRewrite",
        _ => return false,
    };
    filter.get(what).is_some_and(is_empty)
}

/// A time-out of zero asks for none (GEP-1742), which is what a rule of VPC Lattice has.
fn has_no_timeout(timeouts: &Value) -> bool {
    let is_zero = |duration: &Value| {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).any(|digit| digit != '0');
        duration.is_null() || duration.as_str().is_some_and(|text| !text.is_empty() && !digits(text))
    };
    timeouts.as_object().is_some_and(|all| all.values().all(is_zero))
}

fn filter_problem(path: String, filter: &Value) -> Problem {
    let kind = filter.get("type").and_then(Value::as_str).unwrap_or("unknown");
    let what = match kind {
        "RequestRedirect" => "cannot redirect",
        "URLRewrite" => "cannot rewrite URLs",
        "RequestMirror" => "cannot mirror requests",
        "RequestHeaderModifier" | "ResponseHeaderModifier" => "cannot change headers",
        _ => "knows no such filter",
    };
    Problem::new(Code::Filter, path, format!("VPC Lattice {what}; remove the filter {}", quoted(kind)))
}

fn code_of(member: &str) -> Code {
    match member {
        "queryParams" => Code::QueryMatch,
        "timeouts" => Code::Timeouts,
        "retry" => Code::Retry,
        "sessionPersistence" => Code::SessionPersistence,
        "infrastructure" => Code::Infrastructure,
        "allowedListeners" => Code::ListenerSets,
        "tls" => Code::ClientCertificates,
        _ => Code::UnknownField,
    }
}

fn remedy(member: &str) -> &'static str {
    match member {
        "queryParams" => {
            "VPC Lattice cannot match query parameters; match the path, the method or headers instead"
        }
        "timeouts" => {
            "VPC Lattice has no time-outs of a rule; remove the field and set them in client and server"
        }
        "retry" => "VPC Lattice does not retry requests; remove the field and retry in the client",
        "sessionPersistence" => "VPC Lattice has no session persistence; remove the field",
        "infrastructure" => {
            "VPC Lattice makes no objects that labels or annotations could go to; remove the field"
        }
        "allowedListeners" => "Listeners of ListenerSets are not served; remove the field",
        "tls" => "VPC Lattice checks no client certificates and shows none to targets; remove the field",
        _ => "This version does not know the field and cannot honour it; remove it",
    }
}
