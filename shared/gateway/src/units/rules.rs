//! A route's rules and what their backends lead to.

use super::claim::Claim;
use super::parents::Parent;
use crate::Settings;
use crate::annotations;
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
use trellis_lattice::{Action, ListenerProtocol, TAG_PREFIX};

/// A backend's weight and what it leads to.
pub(crate) type Resolved = (u32, Result<Pools, BackendError>);

/// A rule and what its backends lead to.
pub(crate) struct ResolvedRule {
    pub(crate) rule: Rule,
    /// Each, in order.
    pub(crate) backends: Vec<Resolved>,
    /// The same for the route's listeners of plain HTTP, where it has others too and these lead to something else.
    plain: Option<Vec<Resolved>>,
}

/// Resolves all rules of a route. What is not known is added to `unknown`. `told`: as for [`backend::resolve`].
pub(crate) fn resolve(
    view: &View,
    claim: &Claim,
    told: Option<&BTreeMap<String, String>>,
    settings: &Settings,
    unknown: &mut Vec<String>,
) -> Vec<ResolvedRule> {
    let route = &claim.route;
    let (all, plain) = claim.listeners();
    let mut rules = vec![];
    for rule in &route.rules {
        let resolved = |listeners| -> Vec<Resolved> {
            let of = |wanted| backend::resolve(view, route, wanted, listeners, told, settings);
            rule.backends.iter().map(|wanted| (wanted.weight, of(wanted))).collect()
        };
        let backends = resolved(all);
        let may_differ = backends.iter().any(|(_, found)| found.as_ref().is_ok_and(Pools::may_need_tls));
        let plain = plain.filter(|_| may_differ).map(resolved).filter(|plain| *plain != backends);
        let whys = backends.iter().filter_map(|(weight, found)| match found {
            Err(BackendError::Unknown(why)) if *weight > 0 => Some(why.clone()),
            _ => None,
        });
        unknown.extend(whys);
        rules.push(ResolvedRule { rule: rule.clone(), backends, plain });
    }
    rules
}

impl ResolvedRule {
    /// What the backends lead to from a listener of that protocol.
    pub(crate) fn at(&self, protocol: ListenerProtocol) -> &[Resolved] {
        let plain = self.plain.as_ref().filter(|_| protocol == ListenerProtocol::Http);
        plain.unwrap_or(&self.backends)
    }

    /// All pools that get requests of it.
    pub(crate) fn pools(&self) -> impl Iterator<Item = &Pool> {
        let all = self.backends.iter().chain(self.plain.iter().flatten());
        let used = all.filter(|(weight, _)| *weight > 0);
        used.filter_map(|(_, pools)| pools.as_ref().ok()).flat_map(|pools| &pools.busy)
    }

    /// Ids of the target groups of others that get requests of it.
    pub(crate) fn externals(&self) -> impl Iterator<Item = &String> {
        let used = self.backends.iter().filter(|(weight, _)| *weight > 0);
        used.filter_map(|(_, pools)| pools.as_ref().ok()).filter_map(|pools| pools.external.as_ref())
    }

    /// Clusters whose exports get no requests of it, while those of others do.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = &Problem> {
        let all = self.backends.iter().chain(self.plain.iter().flatten());
        let used = all.filter(|(weight, _)| *weight > 0);
        used.filter_map(|(_, pools)| pools.as_ref().ok()).flat_map(|pools| &pools.left_out)
    }

    /// Whether the unit is to look again for a target group that is not there or not free.
    pub(crate) fn awaits_external(&self) -> bool {
        let errors = self.backends.iter().filter_map(|(_, pools)| pools.as_ref().err());
        errors.into_iter().any(|error| matches!(error, BackendError::Awaited(..)))
    }

    /// Whether nothing is known of what it leads to from a listener of that protocol.
    pub(crate) fn is_unknown(&self, protocol: ListenerProtocol) -> bool {
        let mut used = self.at(protocol).iter().filter(|(weight, _)| *weight > 0).map(|(_, found)| found);
        let leads_anywhere = |pools: &Pools| !pools.busy.is_empty() || pools.external.is_some();
        used.clone().any(|found| matches!(found, Err(BackendError::Unknown(_))))
            && !used.any(|found| found.as_ref().is_ok_and(leads_anywhere))
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

/// The ResolvedRefs condition of a parent: the first broken reference's reason, and all problems that its listeners have.
pub(crate) fn resolved_refs(rules: &[ResolvedRule], parent: &Parent) -> Condition {
    let plain = parent.has_plain().then_some(ListenerProtocol::Http);
    let others = (parent.has_secure() || plain.is_none()).then_some(ListenerProtocol::Https);
    let of_parent = |rule| plain.into_iter().chain(others).flat_map(move |one| ResolvedRule::at(rule, one));
    let mut broken: Vec<(&'static str, &Problem)> = vec![];
    for (_, resolved) in rules.iter().flat_map(of_parent) {
        match resolved {
            Err(BackendError::Broken(reason, problem) | BackendError::Awaited(reason, problem))
            | Ok(Pools { gone: Some((reason, problem)), .. })
                if !broken.contains(&(*reason, problem)) =>
            {
                broken.push((*reason, problem));
            }
            Ok(_) | Err(_) => {}
        }
    }
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
            let index = annotations::rule_of_priority(key.strip_prefix(TAG_PREFIX)?)?;
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
