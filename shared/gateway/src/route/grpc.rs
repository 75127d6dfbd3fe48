use super::{Match, convert_headers, leftovers, path_problem};
use crate::api::{GrpcMethodWire, MatchWire};
use crate::code::Code;
use crate::problem::{Problem, quoted};
use serde::Deserialize;
use trellis_lattice::{Limits, PathMatch, RuleMatch};

/// One match of a GRPCRoute. A gRPC call is a POST of `/service/method`, so a match of both is an exact path, and one
/// of the service a prefix; matching headers alone is as good as any.
pub(super) fn convert(path: &str, wire: MatchWire, limits: &Limits) -> Result<Match, Vec<Problem>> {
    let mut problems = leftovers(path, &wire.rest);
    if wire.path.is_some() {
        problems.push(Problem::new(
            Code::GrpcMatch,
            format!("{path}.path"),
            "A GRPCRoute matches services and methods, not paths; use method",
        ));
    }
    let method = match wire.method.as_ref().map(GrpcMethodWire::deserialize) {
        None => GrpcMethodWire::default(),
        Some(Ok(method)) => method,
        Some(Err(error)) => {
            problems.push(Problem::new(
                Code::GrpcMatch,
                format!("{path}.method"),
                format!("{error}; correct the field"),
            ));
            GrpcMethodWire::default()
        }
    };
    problems.extend(leftovers(&format!("{path}.method"), &method.rest));
    let kind = method.kind.as_deref().unwrap_or("Exact");
    if kind != "Exact" {
        let text = format!("VPC Lattice cannot match a gRPC method by {}; use Exact", quoted(kind));
        problems.push(Problem::new(Code::GrpcMatch, format!("{path}.method.type"), text));
    }
    let service = method.service.as_deref().unwrap_or_default();
    let name = method.method.as_deref().unwrap_or_default();
    let target = match (service, name) {
        ("", "") => PathMatch::Prefix("/".into()),
        (service, "") => PathMatch::Prefix(format!("/{service}/")),
        ("", _) => {
            problems.push(Problem::new(
                Code::GrpcMatch,
                format!("{path}.method.method"),
                "VPC Lattice cannot match a method of any service; name the service too",
            ));
            PathMatch::Prefix("/".into())
        }
        (service, name) => PathMatch::Exact(format!("/{service}/{name}")),
    };
    let (PathMatch::Exact(text) | PathMatch::Prefix(text)) = &target;
    problems.extend(path_problem(&format!("{path}.method"), text, limits));
    let headers = convert_headers(path, wire.headers.unwrap_or_default(), limits, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let specificity = [service.len(), name.len(), headers.len(), 0];
    let alternative = RuleMatch { path: Some(target), method: Some("POST".into()), headers };
    Ok(Match { alternatives: vec![alternative], specificity })
}
