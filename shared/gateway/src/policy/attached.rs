//! Which policies name a target, the oldest first, and what is to be told of the target.

use crate::api::{self, Meta};
use crate::problem::quoted;
use crate::report::{Condition, PolicyEntry, PolicyReport, Report};
use crate::route::RouteId;
use crate::units::subject;
use crate::view::{Found, View};
use crate::{Translation, conditions, reasons};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, PolicyTarget, Scope, policy_targets};
use trellis_lattice::Mode;

/// A policy that names a target of the unit.
pub(super) struct Candidate<'a> {
    pub(super) cluster: ClusterId,
    pub(super) kind: Kind,
    pub(super) object: &'a Value,
    pub(super) meta: Meta,
    pub(super) target: PolicyTarget,
    /// Why it cannot be attached to that one.
    pub(super) refused: Option<Condition>,
    /// Why its target has nothing in VPC Lattice of its own that the policy could change.
    pub(super) idle: Option<String>,
}

impl Candidate<'_> {
    /// The oldest first; then by namespace and name, as the specification asks.
    fn seniority(&self) -> (&str, &str, &str, &str) {
        let created = self.meta.creation_timestamp.as_deref().unwrap_or_default();
        (created, &self.meta.namespace, &self.meta.name, &self.cluster.name)
    }

    /// How others name it.
    pub(super) fn named(&self) -> String {
        format!("{} {}/{} of cluster {}", self.kind, self.meta.namespace, self.meta.name, self.cluster.name)
    }

    /// The report on it.
    pub(super) fn report(&self, accepted: Condition, effect: Option<crate::report::Effect>) -> Report {
        let entry = PolicyEntry { target: self.target.clone(), accepted, effect };
        let subject = subject(&self.cluster, self.kind, self.object);
        Report::Policy(PolicyReport { subject, entries: vec![entry], routes: None })
    }
}

/// Why a policy of a route does nothing.
const NO_SERVICE: &str = "The route has no service in VPC Lattice; see its status.";

/// The policies of a kind that name a route.
pub(super) fn of_route_named<'a>(
    view: &View<'a>,
    kind: Kind,
    id: &RouteId,
    translation: &Translation,
) -> Result<Vec<Candidate<'a>>, String> {
    let route = view.get(&id.cluster, id.kind, &id.namespace, &id.name);
    let listed = view.list(&id.cluster, kind, Some(&id.namespace))?;
    let (mut refused, mut idle) = (None, None);
    let report = translation.reports.iter().find_map(|report| match report {
        Report::Route(report) => Some(report),
        _ => None,
    });
    match (route, report) {
        (Found::Unknown(why), _) => return Err(why),
        (Found::Missing, _) => refused = Some(missing(id.kind, &id.namespace, &id.name)),
        (Found::Object(_), Some(report)) if !report.parents.is_empty() => {
            let own = report.services.iter().filter(|serving| serving.leader.is_none()).count();
            let leader = report.services.iter().find_map(|serving| serving.leader.as_ref());
            if let (0, Some(leader)) = (own, leader) {
                idle = Some(format!(
                    "The service of {} {}/{} serves the route's hostname: a policy of that route counts.",
                    leader.kind, leader.namespace, leader.name
                ));
            } else if own == 0 {
                idle = Some(NO_SERVICE.to_owned());
            }
        }
        (Found::Object(_), _) => {
            let text = format!("{} {} has no parent of this controller", id.kind, quoted(&id.name));
            refused = Some(not_found(&text));
        }
    }
    Ok(sorted(listed.into_values().filter_map(|object| {
        let target = naming(object, &id.namespace, id.kind, &id.name)?;
        Some(Candidate {
            cluster: id.cluster.clone(),
            kind,
            object,
            meta: api::meta(object),
            target,
            refused: refused.clone(),
            idle: idle.clone(),
        })
    })))
}

/// The policies of a kind that name a route of several clusters, in those whose route takes part; and the clusters of which
/// they are not known, and why.
pub(super) fn of_merged_named<'a>(
    view: &View<'a>,
    kind: Kind,
    id: &RouteId,
    translation: &Translation,
) -> (Vec<Candidate<'a>>, BTreeMap<ClusterId, String>) {
    let (mut all, mut unknown) = (vec![], BTreeMap::new());
    let routes = translation.reports.iter().filter_map(|report| match report {
        Report::Route(report) => Some(report),
        _ => None,
    });
    for report in routes {
        let cluster = &report.subject.cluster;
        let listed = match view.list(cluster, kind, Some(&id.namespace)) {
            Ok(listed) => listed,
            Err(why) => {
                unknown.insert(cluster.clone(), why);
                continue;
            }
        };
        let idle = report.services.is_empty().then(|| NO_SERVICE.to_owned());
        for object in listed.into_values() {
            let Some(target) = naming(object, &id.namespace, id.kind, &id.name) else { continue };
            let (meta, idle) = (api::meta(object), idle.clone());
            all.push(Candidate { cluster: cluster.clone(), kind, object, meta, target, refused: None, idle });
        }
    }
    (sorted(all), unknown)
}

/// The policies of a kind that name a Gateway of this name.
pub(super) struct OfGateways<'a> {
    /// In all clusters that are known.
    pub(super) candidates: Vec<Candidate<'a>>,
    /// Clusters of which the policies, or whose their Gateways are, is not known; and why.
    pub(super) unknown: BTreeMap<ClusterId, String>,
    /// Clusters that are only observed: nothing is done for them, and nothing is told.
    pub(super) observed: BTreeSet<ClusterId>,
}

/// The policies of a kind that name a Gateway of this name, in all clusters.
pub(super) fn of_gateways_named<'a>(
    view: &View<'a>,
    kind: Kind,
    scope: &Scope,
    name: &str,
    translation: &Translation,
) -> OfGateways<'a> {
    let (mut all, mut unknown, mut observed) = (vec![], BTreeMap::new(), BTreeSet::new());
    for (cluster, facts) in view.snapshot.facts.iter().filter(|(cluster, _)| cluster.scope == *scope) {
        if facts.mode == Mode::Observe {
            observed.insert(cluster.clone());
            continue;
        }
        let classes = view.list(cluster, Kind::GatewayClass, None);
        let (policies, gateways) =
            (view.list(cluster, kind, None), view.list_named(cluster, Kind::Gateway, name));
        let (policies, gateways) = match (policies, gateways, classes) {
            (Ok(policies), Ok(gateways), Ok(_)) => (policies, gateways),
            (Err(why), ..) | (_, Err(why), _) | (.., Err(why)) => {
                unknown.insert(cluster.clone(), why);
                continue;
            }
        };
        for object in policies.into_values() {
            let meta = api::meta(object);
            let Some(target) = naming(object, &meta.namespace, Kind::Gateway, name) else { continue };
            let is_reported = translation.reports.iter().any(|report| {
                let subject = report.subject();
                matches!(report, Report::Gateway(_))
                    && subject.cluster == *cluster
                    && subject.object.namespace == meta.namespace
            });
            let is_there = gateways.keys().any(|key| key.namespace == meta.namespace);
            let refused = match (is_there, is_reported) {
                (true, true) => None,
                (false, _) => Some(missing(Kind::Gateway, &meta.namespace, name)),
                (true, false) => {
                    Some(not_found(&format!("Gateway {} is not of this controller", quoted(name))))
                }
            };
            all.push(Candidate { cluster: cluster.clone(), kind, object, meta, target, refused, idle: None });
        }
    }
    OfGateways { candidates: sorted(all), unknown, observed }
}

/// The policies of a kind that name one Gateway, the oldest first.
pub(super) fn of_gateway<'a>(
    view: &View<'a>,
    kind: Kind,
    cluster: &ClusterId,
    namespace: &str,
    name: &str,
) -> Result<Vec<&'a Value>, String> {
    let listed = view.list(cluster, kind, None)?;
    let local = listed.into_iter().filter(|(key, _)| key.namespace == namespace);
    let mut found: Vec<(Meta, &Value)> = local
        .filter(|(_, policy)| naming(policy, namespace, Kind::Gateway, name).is_some())
        .map(|(_, policy)| (api::meta(policy), policy))
        .collect();
    found.sort_by(|(a, _), (b, _)| (&a.creation_timestamp, &a.name).cmp(&(&b.creation_timestamp, &b.name)));
    Ok(found.into_iter().map(|(_, policy)| policy).collect())
}

pub(super) fn sorted<'a>(candidates: impl IntoIterator<Item = Candidate<'a>>) -> Vec<Candidate<'a>> {
    let mut all: Vec<Candidate> = candidates.into_iter().collect();
    all.sort_by(|a, b| a.seniority().cmp(&b.seniority()));
    all
}

/// The reference by which a policy names this object of its own namespace.
pub(super) fn naming(policy: &Value, namespace: &str, kind: Kind, name: &str) -> Option<PolicyTarget> {
    let fits = |target: &PolicyTarget| {
        target.known_kind() == Some(kind) && target.name == name && target.is_local(namespace)
    };
    policy_targets(policy).into_iter().find(fits)
}

pub(super) fn missing(kind: Kind, namespace: &str, name: &str) -> Condition {
    not_found(&format!("{kind} target \"{namespace}/{name}\" could not be found"))
}

fn not_found(text: &str) -> Condition {
    Condition::no(conditions::ACCEPTED, reasons::TARGET_NOT_FOUND, format!("{text}."))
}
