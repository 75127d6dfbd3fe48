//! Targets that VPC Lattice does not take: the condition that names them. All else of the route is done.

use crate::conditions::REFUSED_TARGETS;
use crate::report::Condition;
use trellis_lattice::{Outcome, RefusedTarget};

/// Targets that the message names; more are counted. They have one cause as a rule.
const NAMED_MAX: usize = 10;

/// The condition; none where nothing was refused.
pub(super) fn condition(outcome: &Outcome) -> Option<Condition> {
    let mut refused: Vec<&RefusedTarget> = outcome.refused.iter().collect();
    refused.sort();
    refused.dedup();
    if refused.is_empty() {
        return None;
    }
    let named: Vec<String> = refused.iter().take(NAMED_MAX).map(|one| named(one)).collect();
    let more = match refused.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let text = format!(
        "VPC Lattice does not take these endpoints, and no request goes to them: {}{more}. An endpoint needs an address of \
         a subnet of the cluster's VPC.",
        named.join("; ")
    );
    Some(Condition::yes(REFUSED_TARGETS, "TargetsRefused", text))
}

fn named(refused: &RefusedTarget) -> String {
    let RefusedTarget { target_group, target, code, message } = refused;
    let why = match message.trim().trim_end_matches('.') {
        "" => code.clone(),
        message => format!("{code}, {message}"),
    };
    format!("{target} of target group {target_group} ({why})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(ip: &str, message: &str) -> RefusedTarget {
        RefusedTarget {
            target_group: "k8s-a".into(),
            target: trellis_lattice::Target::at(ip, 80),
            code: "UnsupportedTarget".into(),
            message: message.into(),
        }
    }

    #[test]
    fn refused_targets_are_named_once_each_with_what_aws_says() {
        let outcome = Outcome {
            refused: vec![
                refused("fd00::7", ""),
                refused("10.9.0.1", "not here."),
                refused("10.9.0.1", "not here."),
            ],
            ..Outcome::default()
        };
        let condition = condition(&outcome).unwrap();
        assert!(
            condition.message.contains(
                ": 10.9.0.1:80 of target group k8s-a (UnsupportedTarget, not here); \
                 [fd00::7]:80 of target group k8s-a (UnsupportedTarget). An"
            ),
            "{}",
            condition.message
        );
        assert!(super::condition(&Outcome::default()).is_none());
    }

    #[test]
    fn of_many_only_some_are_named_and_the_rest_is_counted() {
        let many = (0..500).map(|n| refused(&format!("10.9.{}.{}", n / 250, n % 250), "x")).collect();
        let text = condition(&Outcome { refused: many, ..Outcome::default() }).unwrap().message;
        assert!(text.contains("; and 490 more.") && text.len() < 1_500, "{text}");
    }
}
