use super::{Match, Rule, leftovers};
use crate::api::MatchWire;
use crate::code::Code;
use crate::problem::Problem;
use trellis_lattice::RuleMatch;

/// TLS is handed on unread: there is nothing to match, and a match is a mistake.
pub(super) fn convert(path: &str, wire: &MatchWire) -> Result<Match, Vec<Problem>> {
    let mut problems = leftovers(path, &wire.rest);
    if wire.path.is_some() || wire.headers.is_some() || wire.method.is_some() {
        problems.push(Problem::new(
            Code::TlsMatch,
            path,
            "A TLSRoute matches nothing but its hostnames; remove the matches",
        ));
    }
    if problems.is_empty() {
        Ok(Match { alternatives: vec![RuleMatch::default()], specificity: [0; 4] })
    } else {
        Err(problems)
    }
}

/// A TLS passthrough listener of VPC Lattice has a default action and no rules (User Guide, TLS listeners), so only the
/// first rule can be honoured.
pub(super) fn only_one_rule(rules: &mut [Rule]) {
    for rule in rules.iter_mut().skip(1) {
        rule.problems.push(Problem::new(
            Code::TlsMatch,
            format!("spec.rules[{}]", rule.index),
            "VPC Lattice passes TLS on by one rule; put all backendRefs into the first",
        ));
    }
}
