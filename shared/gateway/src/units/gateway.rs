//! What the Gateways of one name want: the service network and the VPCs of their clusters.

use super::routes::routes;
use super::subject;
use crate::attach::{Refusal, attach};
use crate::gateway::{self, JudgedGateway, Whose, was_programmed_by_us};
use crate::naming;
use crate::problem::{Problem, quoted};
use crate::report::{Condition, GatewayReport, ListenerReport, Report};
use crate::view::View;
use crate::{Settings, Translation, status};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, Scope, UnitKey};
use trellis_lattice::names::label;
use trellis_lattice::{Desired, DesiredNetwork, DesiredVpcAssociation};

/// Characters of a service network's name (API model, ServiceNetworkName).
const NETWORK_NAME_CHARS: usize = 63;

/// Addresses that a Gateway's status can hold (CRD).
const ADDRESSES_MAX: usize = 16;

/// Translates all Gateways of one name, in all clusters.
///
/// The network is wanted as long as any readable cluster has such a Gateway of ours. A cluster that cannot be read may
/// have one too: then nothing is deleted, and what is missing is still made.
pub(crate) fn translate(view: &View, scope: &Scope, name: &str, settings: &Settings) -> Translation {
    let owner = settings.owner(&UnitKey::Gateway { scope: scope.clone(), name: name.to_owned() });
    let (mut reports, mut unknown) = (vec![], vec![]);
    let mut vpcs: BTreeMap<String, DesiredVpcAssociation> = BTreeMap::new();
    let mut network_tags = None;
    for (cluster, facts) in view.snapshot.facts.iter().filter(|(cluster, _)| cluster.scope == *scope) {
        // Asked for together with the Gateways, which saves a round.
        let _ = view.list(cluster, Kind::GatewayClass, None);
        let gateways = match view.list_named(cluster, Kind::Gateway, name) {
            Ok(gateways) => gateways,
            Err(why) => {
                unknown.push(why);
                continue;
            }
        };
        for object in gateways.into_values() {
            match gateway::whose(view, cluster, object) {
                Whose::Unknown(why) => unknown.push(why),
                Whose::Others => {}
                Whose::Ours => {
                    let report = report(view, cluster, object, name, settings, &mut unknown);
                    if report.accepted.is_true() || was_programmed_by_us(object) {
                        let own = owner.tags().into_iter().chain([naming::managed_by(facts)]);
                        let tags = naming::tags(own, &naming::user_tags(&crate::api::meta(object)));
                        network_tags.get_or_insert_with(|| tags.clone());
                        vpcs.entry(facts.vpc.clone()).or_insert_with(|| DesiredVpcAssociation {
                            network: name.to_owned(),
                            vpc: facts.vpc.clone(),
                            security_groups: BTreeSet::new(),
                            tags,
                        });
                    }
                    reports.push(Report::Gateway(report));
                }
            }
        }
    }
    unknown.sort();
    unknown.dedup();
    let desired = Desired {
        network: network_tags.map(|tags| DesiredNetwork { name: name.to_owned(), tags }),
        vpc_associations: vpcs.into_values().collect(),
        ..Desired::nothing(owner)
    };
    let deletes_allowed = unknown.is_empty();
    Translation { deletes_allowed, held: unknown, ..Translation::wanting(desired, reports) }
}

fn report(
    view: &View,
    cluster: &ClusterId,
    object: &Value,
    name: &str,
    settings: &Settings,
    unknown: &mut Vec<String>,
) -> GatewayReport {
    let vpc = view.snapshot.facts.get(cluster).map(|facts| facts.vpc.clone()).unwrap_or_default();
    let subject = subject(cluster, Kind::Gateway, object);
    let judged = match gateway::judge(Some((view, cluster)), object) {
        Ok(judged) => judged,
        Err(problem) => {
            let accepted = Condition::no("Accepted", "Invalid", problem.to_string());
            return GatewayReport { subject, accepted, listeners: vec![], vpc, addresses: vec![] };
        }
    };
    let accepted = name_problem(name).map_or_else(
        || judged.accepted.clone(),
        |problem| Condition::no("Accepted", "Invalid", problem.to_string()),
    );
    let (routes, addresses) = attached_routes(view, cluster, &judged, settings, unknown);
    let listeners = judged
        .listeners
        .iter()
        .map(|listener| ListenerReport {
            name: listener.wire.name.clone(),
            supported_kinds: listener.kinds.iter().map(|kind| kind.as_str()).collect(),
            attached_routes: routes.get(&listener.wire.name).copied().unwrap_or_default(),
            accepted: listener.accepted.clone(),
            resolved_refs: listener.resolved_refs.clone(),
            certificate_missing: listener.certificate_missing.as_ref().map(ToString::to_string),
            conflicted: listener.conflicted.clone(),
        })
        .collect();
    GatewayReport { subject, accepted, listeners, vpc, addresses }
}

/// Why the Gateway's name cannot be a service network's.
fn name_problem(name: &str) -> Option<Problem> {
    let is_good = (3..=NETWORK_NAME_CHARS).contains(&name.len()) && label(name, NETWORK_NAME_CHARS) == name;
    (!is_good).then(|| {
        let text = format!(
            "{} cannot be a service network's name; use 3 to {NETWORK_NAME_CHARS} lower-case letters, digits and \
             single hyphens",
            quoted(name)
        );
        Problem::new("metadata.name", text)
    })
}

/// How many routes each listener takes, and the domain names under which they answer, oldest route first.
fn attached_routes(
    view: &View,
    cluster: &ClusterId,
    gateway: &JudgedGateway,
    settings: &Settings,
    unknown: &mut Vec<String>,
) -> (BTreeMap<String, usize>, Vec<String>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut names: Vec<(String, String, Vec<String>)> = vec![];
    for (route, object) in routes(view, cluster, settings, unknown) {
        let mut listeners = BTreeSet::new();
        let parents = route.parents.iter().filter(|parent| {
            parent.is_gateway && parent.namespace == gateway.namespace && parent.name == gateway.name
        });
        for parent in parents {
            match attach(view, &route, parent, gateway) {
                Ok(attached) => {
                    listeners.extend(attached.into_iter().map(|attached| attached.listener.wire.name));
                }
                Err(Refusal::Unknown(why)) => unknown.push(why),
                Err(Refusal::Condition(_)) => {}
            }
        }
        if listeners.is_empty() {
            continue;
        }
        let created = route.meta.creation_timestamp.clone().unwrap_or_default();
        let key = format!("{}/{}/{}", route.id.namespace, route.id.name, route.id.kind);
        names.push((created, key, status::dns_names_of_route(object)));
        for listener in listeners {
            *counts.entry(listener).or_default() += 1;
        }
    }
    names.sort();
    let mut addresses: Vec<String> = vec![];
    for name in names.into_iter().flat_map(|(_, _, names)| names) {
        if addresses.len() < ADDRESSES_MAX && !addresses.contains(&name) {
            addresses.push(name);
        }
    }
    (counts, addresses)
}
