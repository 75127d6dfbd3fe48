//! A route's rules and what their backends lead to.

use crate::Settings;
use crate::backend::{self, BackendError, Pool, Pools};
use crate::code::Code;
use crate::priority::{Candidate, Origin};
use crate::problem::{Problem, quoted};
use crate::report::Condition;
use crate::route::{Route, Rule};
use crate::view::View;
use crate::{conditions, reasons};
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{Action, TAG_PREFIX};

/// A rule and what its backends lead to: weight and pools of each, in order.
pub(crate) struct ResolvedRule {
    pub(crate) rule: Rule,
    pub(crate) backends: Vec<(u32, Result<Pools, BackendError>)>,
}

/// Resolves all rules. What is not known is added to `unknown`. `told`: as for [`backend::resolve`].
pub(crate) fn resolve(
    view: &View,
    route: &Route,
    listeners_take_http2: bool,
    told: Option<&BTreeMap<String, String>>,
    settings: &Settings,
    unknown: &mut Vec<String>,
) -> Vec<ResolvedRule> {
    let mut rules = vec![];
    for rule in &route.rules {
        let mut backends = vec![];
        for wanted in &rule.backends {
            let resolved = backend::resolve(view, route, wanted, listeners_take_http2, told, settings);
            if let (Err(BackendError::Unknown(why)), 1..) = (&resolved, wanted.weight) {
                unknown.push(why.clone());
            }
            backends.push((wanted.weight, resolved));
        }
        rules.push(ResolvedRule { rule: rule.clone(), backends });
    }
    rules
}

impl ResolvedRule {
    /// All pools that get requests of it.
    pub(crate) fn pools(&self) -> impl Iterator<Item = &Pool> {
        let used = self.backends.iter().filter(|(weight, _)| *weight > 0);
        used.filter_map(|(_, pools)| pools.as_ref().ok()).flat_map(|pools| &pools.busy)
    }

    /// Ids of the target groups of others that get requests of it.
    pub(crate) fn externals(&self) -> impl Iterator<Item = &String> {
        let used = self.backends.iter().filter(|(weight, _)| *weight > 0);
        used.filter_map(|(_, pools)| pools.as_ref().ok()).filter_map(|pools| pools.external.as_ref())
    }

    /// Whether the unit is to look again for a target group that is not there or not free.
    pub(crate) fn awaits_external(&self) -> bool {
        let errors = self.backends.iter().filter_map(|(_, pools)| pools.as_ref().err());
        errors.into_iter().any(|error| matches!(error, BackendError::Awaited(..)))
    }

    /// Whether nothing is known of what it leads to.
    pub(crate) fn is_unknown(&self) -> bool {
        let unknown = |(weight, pools): &(u32, Result<Pools, BackendError>)| {
            *weight > 0 && matches!(pools, Err(BackendError::Unknown(_)))
        };
        self.backends.iter().any(unknown)
            && self.pools().next().is_none()
            && self.externals().next().is_none()
    }

    /// Names of target groups that get no requests and stay, since nothing is known of their clusters.
    pub(crate) fn idle(&self) -> impl Iterator<Item = &String> {
        self.backends.iter().filter_map(|(_, pools)| pools.as_ref().ok()).flat_map(|pools| &pools.idle)
    }

    /// Why some shares of it are not known and stay as they are.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &String> {
        self.backends.iter().filter_map(|(_, pools)| pools.as_ref().ok()).flat_map(|pools| &pools.unknown)
    }
}

/// What tells the target groups of one rule apart: cluster, kind, namespace and name, whether it is exported, port.
type Named<'a> = (&'a ClusterId, Kind, &'a str, &'a str, bool, Option<u16>);

/// Why a rule has to be dropped.
pub(crate) fn problems(rule: &ResolvedRule, settings: &Settings) -> Vec<Problem> {
    let mut problems = rule.rule.problems.clone();
    let pools: BTreeSet<Named> = rule
        .pools()
        .map(|pool| {
            let is_exported = pool.export.is_some();
            (&pool.cluster, pool.kind, &*pool.namespace, &*pool.service, is_exported, pool.config.port())
        })
        .collect();
    let most = settings.limits.target_groups_per_rule;
    let groups = pools.len() + rule.externals().collect::<BTreeSet<_>>().len();
    if groups > most {
        let text = format!(
            "The rule leads to {groups} target groups, VPC Lattice takes {most} in a rule; name fewer backends"
        );
        problems.push(Problem::new(
            Code::QuotaExceeded,
            format!("spec.rules[{}].backendRefs", rule.rule.index),
            text,
        ));
    }
    problems
}

/// Whether a rule is not dropped.
pub(crate) fn is_valid(rule: &ResolvedRule, settings: &Settings) -> bool {
    problems(rule, settings).is_empty()
}

/// Whether a route's rules can be had: all but those that are dropped, if not all are.
pub(crate) fn is_sound(rules: &[ResolvedRule], settings: &Settings) -> bool {
    rules.is_empty() || rules.iter().any(|rule| is_valid(rule, settings))
}

/// The ResolvedRefs condition: the first broken reference's reason, and all problems.
pub(crate) fn resolved_refs(rules: &[ResolvedRule]) -> Condition {
    let broken: Vec<(&'static str, &Problem)> = rules
        .iter()
        .flat_map(|rule| &rule.backends)
        .filter_map(|(_, resolved)| match resolved {
            Err(BackendError::Broken(reason, problem) | BackendError::Awaited(reason, problem))
            | Ok(Pools { gone: Some((reason, problem)), .. }) => Some((*reason, problem)),
            Ok(_) | Err(BackendError::Unknown(_)) => None,
        })
        .collect();
    let unknown: BTreeSet<&str> = rules.iter().flat_map(ResolvedRule::unknown).map(String::as_str).collect();
    match broken.first() {
        None if !unknown.is_empty() => {
            let unknown: Vec<&str> = unknown.into_iter().collect();
            unresolved(format!("{}. VPC Lattice keeps what it has for that.", unknown.join(". ")))
        }
        None => Condition::yes(conditions::RESOLVED_REFS, reasons::RESOLVED_REFS, ""),
        Some((reason, _)) => {
            let problems = broken.iter().map(|(_, problem)| Problem::clone(problem)).collect();
            Condition::no_for(conditions::RESOLVED_REFS, reason, problems)
        }
    }
}

/// A ResolvedRefs condition for what is not known.
pub(crate) fn unresolved(message: String) -> Condition {
    Condition {
        kind: conditions::RESOLVED_REFS,
        status: "Unknown",
        reason: reasons::PENDING,
        message,
        problems: vec![],
    }
}

/// Priorities that the user gives to rules by annotation, by rule index.
pub(crate) struct Priorities(pub(crate) BTreeMap<usize, u16>);

impl Priorities {
    /// Reads them; those that are none are told in `notes`.
    pub(crate) fn of(route: &Route, settings: &Settings, notes: &mut Vec<Problem>) -> Self {
        let mut priorities = BTreeMap::new();
        let most = settings.limits.priority_max;
        for rule in &route.rules {
            let name = format!("rule-{}-priority", rule.index);
            let Some(text) = route.meta.annotation(&name) else { continue };
            match text.trim().parse::<u16>() {
                Ok(number) if (1..=most).contains(&number) => _ = priorities.insert(rule.index, number),
                _ => notes.push(Problem::new(
                    Code::AnnotationValue,
                    format!("metadata.annotations[application-networking.k8s.aws/{name}]"),
                    format!("{} is no priority; use a number from 1 to {most}", quoted(text)),
                )),
            }
        }
        let of_no_rule = |key: &String| {
            let name = key.strip_prefix(TAG_PREFIX)?;
            let index: usize = name.strip_prefix("rule-")?.strip_suffix("-priority")?.parse().ok()?;
            let has_it = route.rules.iter().any(|rule| rule.index == index);
            let text =
                || format!("The route has no rule {index}: its first one is rule 0; correct or remove it");
            (!has_it)
                .then(|| Problem::new(Code::AnnotationMoot, format!("metadata.annotations[{key}]"), text()))
        };
        notes.extend(route.meta.annotations.iter().flatten().filter_map(|(key, _)| of_no_rule(key)));
        Self(priorities)
    }
}

/// The candidates of one rule of a route. `age` is the route's place among those that have the listener.
pub(crate) fn candidates<'a>(
    age: usize,
    priorities: &'a Priorities,
    rule: &'a Rule,
    action: &'a Action,
) -> impl Iterator<Item = Candidate> + 'a {
    rule.matches.iter().enumerate().flat_map(move |(matched, one)| {
        one.alternatives.iter().enumerate().map(move |(alternative, matches)| Candidate {
            contributor: age,
            specificity: one.specificity,
            origin: Origin { rule: rule.index, matched, alternative },
            priority: priorities.0.get(&rule.index).copied(),
            matches: matches.clone(),
            action: action.clone(),
        })
    })
}
