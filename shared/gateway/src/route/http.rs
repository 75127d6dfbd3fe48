use super::{Match, convert_headers, leftovers, path_problem};
use crate::api::MatchWire;
use crate::code::Code;
use crate::problem::{Problem, quoted};
use serde_json::Value;
use trellis_lattice::{Limits, PathMatch, RuleMatch};

/// Characters of a method in a match (API model, HttpMethod).
const METHOD_CHARS_MAX: usize = 16;

/// One match of an HTTPRoute.
pub(super) fn convert(path: &str, wire: MatchWire, limits: &Limits) -> Result<Match, Vec<Problem>> {
    let mut problems = leftovers(path, &wire.rest);
    let wanted = wire.path.unwrap_or_default();
    problems.extend(leftovers(&format!("{path}.path"), &wanted.rest));
    let value = wanted.value.as_deref().unwrap_or("/");
    let (is_exact, paths) = match wanted.kind.as_deref().unwrap_or("PathPrefix") {
        "Exact" => (true, vec![PathMatch::Exact(value.to_owned())]),
        "PathPrefix" => (false, element_prefix(value)),
        other => {
            let text =
                format!("VPC Lattice cannot match a path by {}; use Exact or PathPrefix", quoted(other));
            problems.push(Problem::new(Code::PathMatch, format!("{path}.path.type"), text));
            (false, vec![])
        }
    };
    let longest = paths.iter().map(|(PathMatch::Exact(path) | PathMatch::Prefix(path))| path);
    if let Some(longest) = longest.max_by_key(|path| path.len()) {
        problems.extend(path_problem(&format!("{path}.path.value"), longest, limits));
    }
    let method = convert_method(path, wire.method.as_ref(), &mut problems);
    let headers = convert_headers(path, wire.headers.unwrap_or_default(), limits, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let specificity = [
        usize::from(is_exact),
        if is_exact { 0 } else { value.trim_end_matches('/').len() },
        usize::from(method.is_some()),
        headers.len(),
    ];
    let alternatives = paths
        .into_iter()
        .map(|path| RuleMatch { path: Some(path), method: method.clone(), headers: headers.clone() })
        .collect();
    Ok(Match { alternatives, specificity })
}

/// A path prefix by whole elements, as rules that mean it whether VPC Lattice compares prefixes by characters or by
/// elements (that is not documented): `/foo` is the path `/foo` and everything that begins with `/foo/`.
fn element_prefix(value: &str) -> Vec<PathMatch> {
    match value.trim_end_matches('/') {
        "" => vec![PathMatch::Prefix("/".into())],
        trimmed => vec![PathMatch::Exact(trimmed.into()), PathMatch::Prefix(format!("{trimmed}/"))],
    }
}

fn convert_method(path: &str, wire: Option<&Value>, problems: &mut Vec<Problem>) -> Option<String> {
    match wire {
        None | Some(Value::Null) => None,
        Some(Value::String(method)) if (1..=METHOD_CHARS_MAX).contains(&method.len()) => {
            Some(method.to_ascii_uppercase())
        }
        Some(other) => {
            let text = format!("{} is no HTTP method; name one", quoted(&other.to_string()));
            problems.push(Problem::new(Code::MethodMatch, format!("{path}.method"), text));
            None
        }
    }
}
