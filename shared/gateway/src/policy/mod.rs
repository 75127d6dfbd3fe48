//! Policies: objects that say more of a Gateway, a route, a Service or an export than these say themselves.
//!
//! A policy's target owns what the policy asks for, so the target's unit does it and writes the policy's status; the
//! translation of a target knows nothing of policies, and what they add is added to it here. Of policies that contradict
//! each other the oldest holds, then the first by name, and the status of the others names it. A policy has no
//! finalizer: one whose target is gone says so and can be deleted like any other object.
//!
//! A cluster that does not serve a kind of policy has none of it.

mod access_log;
mod attached;
mod followed;
pub(crate) mod iam_auth;
pub(crate) mod target_group;
mod vpc_association;
mod vpc_spec;

use crate::Translation;
use crate::annotations;
use crate::api;
use crate::code::Code;
use crate::problem::{Problem, quoted};
use crate::report::{Condition, PolicyEntry, PolicyReport, Report, Subject};
use crate::route::RouteId;
use crate::units::dependents::Changed;
use crate::units::subject;
use crate::view::{Found, View};
use crate::{conditions, reasons};
pub(crate) use followed::of_source;
pub(crate) use iam_auth::{OF_ITS_OWN, ONE_FOR_A_SERVICE, has_its_own, left_closed};
pub(crate) use vpc_association::{OfPolicies, VpcWish, vpc_wish};

use attached::{Candidate, OfGateways, of_gateways_named, of_merged_named, of_route_named};
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_hint::{
    ClusterId, Kind, PolicyTarget, Scope, policy_target_kinds, policy_targets, unit_of_target,
};
use trellis_lattice::Holder;

/// Adds to a route's translation what its policies ask for.
pub(crate) fn of_route(view: &View, id: &RouteId, mut translation: Translation) -> Translation {
    let is_opened = match view.get(&id.cluster, id.kind, &id.namespace, &id.name) {
        Found::Object(route) => iam_auth::opens(route),
        Found::Missing | Found::Unknown(_) => false,
    };
    // Asked for with the route itself, which saves a round: the rules of sharing a service read them too.
    for kind in Kind::POLICIES {
        let _ = view.list(&id.cluster, kind, Some(&id.namespace));
    }
    let found = attachable(id.kind).map(|kind| (kind, of_route_named(view, kind, id, &translation)));
    let found: Vec<_> = found.collect();
    for (kind, candidates) in found {
        match candidates {
            Ok(candidates) => {
                let services = translation.desired.iter().flat_map(|desired| &desired.services);
                let holders = services.map(|service| Holder::Service(service.name.clone())).collect();
                let attached = Attached { candidates, holders, is_opened, unknown: BTreeSet::new() };
                add(view, &id.cluster.scope, kind, attached, &mut translation);
            }
            // What a policy says must not be passed over.
            Err(why) if translation.desired.is_some() => {
                translation.desired = None;
                translation.held.push(why);
            }
            Err(_) => {}
        }
    }
    followed::add_of_route(view, id, &mut translation);
    translation
}

/// Adds to the translation of a route of several clusters what the policies of all of them ask for. What those of clusters asked
/// for whose share stays as it is stays too. With an IAMAuthPolicy of its own a route is not merged.
pub(crate) fn of_merged(
    view: &View,
    id: &RouteId,
    staying: BTreeSet<ClusterId>,
    mut translation: Translation,
) -> Translation {
    let is_told =
        |cluster: &ClusterId| translation.reports.iter().any(|one| one.subject().cluster == *cluster);
    let staying: BTreeSet<ClusterId> = staying.into_iter().filter(|one| !is_told(one)).collect();
    for kind in attachable(id.kind).filter(|kind| *kind != Kind::IAMAuthPolicy) {
        let (candidates, unknown) = of_merged_named(view, kind, id, &translation);
        let services = translation.desired.iter().flat_map(|desired| &desired.services);
        let holders = services.map(|service| Holder::Service(service.name.clone())).collect();
        translation.held.extend(unknown.values().cloned());
        let unknown = unknown.into_keys().chain(staying.iter().cloned()).collect();
        let attached = Attached { candidates, holders, is_opened: false, unknown };
        add(view, &id.cluster.scope, kind, attached, &mut translation);
    }
    let routes = translation.reports.iter().filter(|report| matches!(report, Report::Route(_)));
    let clusters: Vec<ClusterId> = routes.map(|report| report.subject().cluster.clone()).collect();
    for cluster in clusters {
        followed::add_of_route(view, &RouteId { cluster, ..id.clone() }, &mut translation);
    }
    translation
}

/// Adds to an export's translation what is to be told of its policies.
pub(crate) fn of_export(
    view: &View,
    cluster: &ClusterId,
    (namespace, name): (&str, &str),
    mut translation: Translation,
) -> Translation {
    followed::add_of_export(view, cluster, (namespace, name), &mut translation);
    translation
}

/// The kinds of policies that can be attached to a kind.
fn attachable(target: Kind) -> impl Iterator<Item = Kind> {
    Kind::POLICIES.into_iter().filter(move |policy| policy_target_kinds(*policy).contains(&target))
}

/// Adds to a Gateway unit's translation what the policies of its Gateways ask for.
pub(crate) fn of_gateways(
    view: &View,
    scope: &Scope,
    name: &str,
    mut translation: Translation,
) -> Translation {
    let is_opened = is_opened_by_all(view, &translation);
    let found = attachable(Kind::Gateway)
        .map(|kind| (kind, of_gateways_named(view, kind, scope, name, &translation)));
    let found: Vec<_> = found.collect();
    for (kind, OfGateways { candidates, unknown, observed }) in found {
        translation.held.extend(unknown.values().cloned());
        let unknown = unknown.into_keys().chain(observed).collect();
        let network = translation.desired.as_ref().and_then(|desired| desired.network.as_ref());
        let holders = network.map(|one| Holder::Network(one.name.clone())).into_iter().collect();
        add(view, scope, kind, Attached { candidates, holders, is_opened, unknown }, &mut translation);
    }
    translation.held.sort();
    translation.held.dedup();
    translation
}

/// What is known of the policies of one kind for one target.
struct Attached<'a> {
    /// The oldest first.
    candidates: Vec<Candidate<'a>>,
    /// What the target has in VPC Lattice.
    holders: Vec<Holder>,
    /// Whether the target says that it is to be open.
    is_opened: bool,
    /// Clusters whose policies are not known.
    unknown: BTreeSet<ClusterId>,
}

fn add(view: &View, scope: &Scope, kind: Kind, attached: Attached, translation: &mut Translation) {
    if kind == Kind::AccessLogPolicy {
        access_log::add(view, scope, attached, translation);
    } else if kind == Kind::IAMAuthPolicy {
        iam_auth::add(view, attached, translation);
    } else if kind == Kind::VpcAssociationPolicy {
        vpc_association::add(view, attached, translation);
    }
}

/// Whether all Gateways of a network say that it is to be open.
fn is_opened_by_all(view: &View, translation: &Translation) -> bool {
    let mut gateways = translation.reports.iter().filter(|report| matches!(report, Report::Gateway(_)));
    let opens = |report: &Report| {
        let Subject { cluster, object, .. } = report.subject();
        let gateway = view.snapshot.get(cluster, object.kind, &object.namespace, &object.name);
        gateway.is_some_and(iam_auth::opens)
    };
    gateways.clone().next().is_some() && gateways.all(opens)
}

/// What nobody but the policy itself can be told: that it names what it cannot be attached to.
pub(crate) fn of_itself(view: &View, changed: &Changed) -> Option<Report> {
    let Found::Object(object) = view.get(changed.cluster, changed.kind, changed.namespace, changed.name)
    else {
        return None;
    };
    let entries: Vec<PolicyEntry> = policy_targets(object)
        .into_iter()
        .filter(|target| unit_of_target(changed.cluster, changed.kind, changed.namespace, target).is_none())
        .map(|target| PolicyEntry {
            accepted: Condition::no(
                conditions::ACCEPTED,
                reasons::INVALID,
                wrong_target(changed.kind, changed.namespace, &target).to_string(),
            ),
            target,
            effect: None,
        })
        .collect();
    // What can be attached to nothing is followed by nobody.
    let routes = (entries.len() == policy_targets(object).len()).then(BTreeSet::new);
    let subject = subject(changed.cluster, changed.kind, object);
    Some(Report::Policy(PolicyReport { subject, entries, routes }))
}

/// Why a policy cannot be attached to a target that it names.
fn wrong_target(policy: Kind, namespace: &str, target: &PolicyTarget) -> Problem {
    let kinds: Vec<&str> = policy_target_kinds(policy).iter().map(|kind| kind.as_str()).collect();
    let kinds = kinds.join(", ");
    match target.known_kind().filter(|kind| policy_target_kinds(policy).contains(kind)) {
        None => {
            let group = if target.group.is_empty() { "core" } else { &target.group };
            // A TLSRoute's requests are not read, but whose connections a network takes can be said.
            let more = if policy == Kind::IAMAuthPolicy && target.known_kind() == Some(Kind::TLSRoute) {
                "; VPC Lattice passes TLS on unread, so say on the Gateway who may connect, by the action \
                 vpc-lattice-svcs:Connect"
            } else {
                ""
            };
            let text = format!(
                "group/kind error: not supported GroupKind={}/{}; a policy of this kind can be attached to {kinds}{more}",
                shown(group),
                shown(&target.kind)
            );
            Problem::new(Code::PolicyTarget, "spec.targetRef", text)
        }
        Some(_) if !target.is_local(namespace) => {
            let text = format!(
                "The targetRef's namespace, {}, does not match the policy's namespace, {}; make the policy in its \
                 target's namespace",
                quoted(target.namespace.as_deref().unwrap_or_default()),
                quoted(namespace)
            );
            Problem::new(Code::PolicyTarget, "spec.targetRef.namespace", text)
        }
        Some(_) => {
            let text = format!("{} is no name of an object; correct it", quoted(&target.name));
            Problem::new(Code::PolicyTarget, "spec.targetRef.name", text)
        }
    }
}

/// A user's word as it may stand in a message, without quotes.
fn shown(text: &str) -> String {
    quoted(text).trim_matches('"').to_owned()
}

/// The checks that need no other object, for whoever applies a policy.
pub(crate) fn problems(kind: Kind, object: &Value) -> Vec<Problem> {
    let namespace = api::meta(object).namespace;
    let targets = policy_targets(object);
    let nowhere = crate::admission::nowhere();
    let wrong = targets.iter().filter(|one| unit_of_target(&nowhere, kind, &namespace, one).is_none());
    let mut problems: Vec<Problem> = wrong.map(|one| wrong_target(kind, &namespace, one)).collect();
    if kind == Kind::AccessLogPolicy {
        problems.extend(access_log::destination(object).err());
    } else if kind == Kind::IAMAuthPolicy {
        problems.extend(iam_auth::policy(object).err());
    } else if kind == Kind::VpcAssociationPolicy {
        problems.extend(vpc_spec::spec(object).err().into_iter().flatten());
    } else if kind == Kind::TargetGroupPolicy {
        problems.extend(target_group::wish(object).err().unwrap_or_default());
    }
    problems.extend(annotations::problems(kind, &api::meta(object)));
    problems
}
