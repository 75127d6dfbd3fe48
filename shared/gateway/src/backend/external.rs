//! From a ServiceImport that names a target group by its ARN to that group, which is its maker's: rules lead to it, and
//! nothing of it is ever changed.
//!
//! | what is known of the group | what becomes of the backend |
//! |---|---|
//! | it is there and fits the route | rules lead to it |
//! | the annotation cannot be meant so, the group does not fit, or another service has it | none: `InvalidExternalTargetGroup` |
//! | other annotations of the import say where to look for exports | none: `ConflictingServiceImportAnnotations` |
//! | VPC Lattice says that it is not there | none: `ExternalTargetGroupNotFound`; the unit looks again for a while, then each pass |
//! | VPC Lattice does not tell, or it is being made | what rules lead to it stays; where none does, nothing of the route changes |

use super::{BackendError, Pools, declared, imports, rules_of};
use crate::api::{self, Meta};
use crate::code::Code;
use crate::problem::{Problem, quoted};
use crate::report::Condition;
use crate::view::View;
use crate::{Snapshot, conditions, naming, reasons};
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, Scope};
use trellis_lattice::{
    Desired, ExternalGroup, ExternalTargetGroup, ListenerProtocol, Owner, Ownership, ProtocolVersion, Status,
    TAG_PREFIX, TARGET_GROUP_ID, TargetProtocol,
};

/// Why a service goes without a target group that another one has.
pub(crate) const SERVES_ONE: &str = "VPC Lattice lets a target group serve one service only";
const NOT_ASKED: &str = "VPC Lattice was not asked yet";
/// The annotation that names a target group, without the common prefix.
pub(crate) const ANNOTATION: &str = "target-group-arn";
/// The annotations that say whose exports an import stands for, without the common prefix.
pub(crate) const OF_EXPORTS: [&str; 3] = [imports::EXPORT_NAME, imports::ONLY_CLUSTER, imports::ONLY_VPC];
/// Characters of a target group's id after `tg-` (API model, TargetGroupId).
const ID_CHARS: usize = 17;

/// The ARN that an import names its target group by, or why that cannot be. None: it names none, and stands for exports.
///
/// Which account and Region it must be of is asked where a scope is given.
pub(crate) fn named<'a>(
    import: &'a Meta,
    scope: Option<&Scope>,
) -> Option<Result<&'a str, (&'static str, Problem)>> {
    let arn = import.annotation(ANNOTATION)?;
    let refuse = |reason, text| Some(Err((reason, Problem::new(Code::ExternalGroup, path(), text))));
    let others: Vec<&str> = OF_EXPORTS.into_iter().filter(|name| import.annotation(name).is_some()).collect();
    if !others.is_empty() {
        let text = format!(
            "conflicting ServiceImport annotations: {ANNOTATION} names a target group, and {} says whose exports the import \
             stands for; remove one or the other",
            others.join(", ")
        );
        return refuse(reasons::CONFLICTING_ANNOTATIONS, text);
    }
    match arn_problem(arn, scope) {
        None => Some(Ok(arn)),
        Some(why) => refuse(
            reasons::INVALID_EXTERNAL_GROUP,
            format!("invalid external target group ARN {}: {why}", quoted(arn)),
        ),
    }
}

fn path() -> String {
    format!("metadata.annotations[{TAG_PREFIX}{ANNOTATION}]")
}

/// What is wrong with an import's annotations, whatever the cluster.
pub(crate) fn problem(import: &Meta) -> Option<Problem> {
    named(import, None)?.err().map(|(_, problem)| problem)
}

pub(super) fn arn_problem(arn: &str, scope: Option<&Scope>) -> Option<String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "vpc-lattice", region, account, resource] = *parts.as_slice() else {
        return Some(
            "it is no ARN of VPC Lattice; write arn:aws:vpc-lattice:<Region>:<account>:targetgroup/tg-<17 characters>"
                .to_owned(),
        );
    };
    let is_id = |rest: &str| {
        rest.len() == ID_CHARS && rest.bytes().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit())
    };
    let id = resource.strip_prefix("targetgroup/").and_then(|id| id.strip_prefix(TARGET_GROUP_ID));
    if !id.is_some_and(is_id) {
        return Some(format!(
            "{} is no target group; write targetgroup/tg- and {ID_CHARS} lower-case letters and digits",
            quoted(resource)
        ));
    }
    let Some(scope) = scope else {
        let is_scope = Scope::new(account, region).is_some();
        return (!is_scope).then(|| "its Region or its account can be none; correct them".to_owned());
    };
    if (account, region, partition) != (&*scope.account, &*scope.region, scope.partition()) {
        return Some(format!(
            "it is of account {} in {}, and a service of account {} in {} leads to target groups of its own account and \
             Region only; name one of these",
            quoted(account),
            quoted(region),
            scope.account,
            scope.region
        ));
    }
    None
}

/// The id at the end of an ARN.
fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// ARNs of the target groups that the ServiceImports and Backends of a snapshot name: what is known of them is for
/// [`Snapshot::external_groups`].
pub fn external_groups(snapshot: &Snapshot) -> BTreeSet<String> {
    let taking_part = snapshot.objects.iter().filter(|(cluster, _)| !snapshot.is_leaving(cluster));
    let named = taking_part.flat_map(|(cluster, _)| {
        let imports = snapshot.all(cluster, Kind::ServiceImport);
        imports.filter_map(|(_, import)| {
            named(&api::meta(import), Some(&cluster.scope))?.ok().map(str::to_owned)
        })
    });
    named.chain(declared::target_groups(snapshot)).collect()
}

/// Lets rules lead to the target groups that imports name and to those that rules of the unit's lead to already, as far as the
/// wish does. Before anything was inspected all that are named are let be: what is there is then told by their ids.
pub(crate) fn allow(view: &View, desired: &mut Desired) {
    let named = external_groups(view.snapshot);
    let mut ids: BTreeSet<String> = named.iter().map(|arn| id_of(arn).to_owned()).collect();
    if view.is_inspected {
        ids.extend(used_by(view).keys().map(|id| (*id).to_owned()));
        let used: BTreeSet<&str> = desired.services.iter().flat_map(|one| one.target_groups()).collect();
        ids.retain(|id| used.contains(id.as_str()));
    }
    desired.external_groups = ids;
}

/// The target groups of others that rules of the unit's services lead to, by id, each with the service's name.
pub(crate) fn used_by<'a>(view: &View<'a>) -> BTreeMap<&'a str, &'a str> {
    let ours = view.actual.services.iter().filter(|service| service.ownership == Ownership::Ours);
    let used = ours.flat_map(|service| {
        let groups = service.target_groups().into_iter();
        groups.filter(|name| name.starts_with(TARGET_GROUP_ID)).map(|id| (id, service.name.as_str()))
    });
    used.collect()
}

/// Whether a rule of a plain listener of the unit's leads to a target group of others.
fn is_led_to_by_http(view: &View, id: &str) -> bool {
    let ours = view.actual.services.iter().filter(|service| service.ownership == Ownership::Ours);
    let mut plain = ours.flat_map(|one| &one.listeners).filter(|one| one.protocol == ListenerProtocol::Http);
    plain.any(|listener| rules_of(listener).any(|(_, action)| action.target_groups().any(|name| name == id)))
}

/// A target group that an object names.
pub(super) struct Named<'a> {
    /// The object, in words.
    pub(super) what: String,
    /// The field that names it.
    pub(super) path: String,
    pub(super) arn: &'a str,
}

/// What an import that names a target group leads to; none where it names none.
pub(super) fn of_import(
    view: &View,
    cluster: &ClusterId,
    import: &Meta,
    asked: &super::Asked,
) -> Option<Result<Pools, BackendError>> {
    let what = format!("ServiceImport {}", quoted(&import.name));
    Some(match named(import, Some(&cluster.scope))? {
        Ok(arn) => pools(view, &cluster.scope, &Named { what, path: path(), arn }, asked),
        Err((reason, problem)) => {
            let problem = Problem::new(problem.code, asked.path, format!("{what}: {}", problem.text));
            Err(BackendError::Broken(reason, problem))
        }
    })
}

/// What an object that names a target group leads to.
pub(super) fn pools(
    view: &View,
    scope: &Scope,
    named: &Named,
    asked: &super::Asked,
) -> Result<Pools, BackendError> {
    let Named { what, arn, .. } = named;
    let id = id_of(arn);
    let not_found = || Obstacle::Awaited(reasons::EXTERNAL_GROUP_NOT_FOUND, missing(named, scope));
    let found = match view.snapshot.external_groups.get(*arn) {
        None => Err(Obstacle::Unknown(NOT_ASKED.to_owned())),
        Some(ExternalGroup::Unknown(why)) => Err(Obstacle::Unknown(why.clone())),
        Some(ExternalGroup::Missing) => Err(not_found()),
        Some(ExternalGroup::Known(group)) if group.status == Status::DeleteInProgress => Err(not_found()),
        Some(ExternalGroup::Known(group)) => obstacle(view, arn, group, asked).map_or(Ok(group), Err),
    };
    match found {
        Ok(group) => {
            let elsewhere = users(view, group).find_map(|user| asked.told?.get(id_of(user)).cloned());
            Ok(Pools { external: Some(id.to_owned()), elsewhere, ..Pools::default() })
        }
        Err(Obstacle::Broken(reason, text)) => {
            let problem = Problem::new(Code::ExternalGroup, asked.path, format!("{what}: {text}"));
            Err(BackendError::Broken(reason, problem))
        }
        Err(Obstacle::Awaited(reason, text)) => {
            let problem = Problem::new(Code::ExternalGroup, asked.path, format!("{what}: {text}"));
            Err(BackendError::Awaited(reason, problem))
        }
        Err(Obstacle::Unknown(why)) => {
            let why = format!("Of the target group {id} of {what}: {why}");
            // By which protocol it is spoken to is not known: listeners of plain HTTP stay away where they are.
            let is_led_to = if asked.listeners.take_http2() {
                used_by(view).contains_key(id)
            } else {
                is_led_to_by_http(view, id)
            };
            if !view.is_inspected || is_led_to {
                Ok(Pools { external: Some(id.to_owned()), unknown: vec![why], ..Pools::default() })
            } else {
                Err(BackendError::Unknown(why))
            }
        }
    }
}

/// Why rules cannot lead to a target group.
enum Obstacle {
    Broken(&'static str, String),
    /// The same, until the group comes, or another service leaves it.
    Awaited(&'static str, String),
    Unknown(String),
}

fn missing(named: &Named, scope: &Scope) -> String {
    let field = if named.path.starts_with("metadata.") { "annotation" } else { "ARN" };
    format!(
        "external target group \"{}\" could not be found in region \"{}\": create it or correct the {field}",
        named.arn, scope.region
    )
}

fn obstacle(view: &View, arn: &str, group: &ExternalTargetGroup, asked: &super::Asked) -> Option<Obstacle> {
    let text = |why: String| format!("invalid external target group ARN \"{arn}\": {why}");
    let invalid = |why: String| Some(Obstacle::Broken(reasons::INVALID_EXTERNAL_GROUP, text(why)));
    match group.status {
        Status::CreateInProgress => return Some(Obstacle::Unknown("it is being made".to_owned())),
        Status::CreateFailed => return invalid("it could not be made; make it anew".to_owned()),
        Status::Active
        | Status::DeleteInProgress
        | Status::UpdateInProgress
        | Status::UpdateFailed
        | Status::DeleteFailed
        | Status::Unknown => {}
    }
    let is_ours =
        |held: &trellis_lattice::ActualTargetGroup| held.arn == arn && held.ownership == Ownership::Ours;
    if view.actual.target_groups.iter().any(is_ours) {
        return invalid(
            "it is one that this route has itself and that may go with it; name the Service".to_owned(),
        );
    }
    if let Some(why) = misfit(group, asked) {
        return invalid(why);
    }
    // Another route's that serves this one is none of others.
    let is_of_route = |user: &&String| asked.told.is_some_and(|told| told.contains_key(id_of(user)));
    let user = users(view, group).find(|user| !is_of_route(user))?;
    let why = format!("it is used by the service {user}, and {SERVES_ONE}; make another one");
    Some(Obstacle::Awaited(reasons::INVALID_EXTERNAL_GROUP, text(why)))
}

/// The services that use a target group and are not the unit's, by ARN. Which ones are its is not known before they are read.
fn users<'a>(view: &View, group: &'a ExternalTargetGroup) -> impl Iterator<Item = &'a String> {
    let ours = view.actual.services.iter().filter(|one| one.ownership == Ownership::Ours);
    let ours: BTreeSet<&str> = ours.map(|one| one.arn.as_str()).collect();
    let is_known = view.is_inspected;
    group.service_arns.iter().filter(move |user| is_known && !ours.contains(user.as_str()))
}

/// What of a target group does not fit the route: the rules of VPC Lattice for listeners and protocols of targets (User Guide,
/// target groups).
fn misfit(group: &ExternalTargetGroup, asked: &super::Asked) -> Option<String> {
    let speaks = spoken(group);
    let wants = |what: &str| Some(format!("it is {speaks}, and {what}"));
    let is_lambda = group.kind == "LAMBDA";
    let is_tcp = group.protocol == Some(TargetProtocol::Tcp);
    match asked.route_kind {
        Kind::TLSRoute if !is_tcp => wants("a TLSRoute needs one of protocol TCP; make one"),
        Kind::TLSRoute => None,
        _ if is_tcp => {
            wants("only a TLSRoute leads to such; use a TLSRoute, or make one of protocol HTTP or HTTPS")
        }
        Kind::GRPCRoute if is_lambda => {
            wants("a GRPCRoute needs one that speaks gRPC; make one of version GRPC")
        }
        Kind::GRPCRoute if group.protocol_version == Some(ProtocolVersion::Http1) => {
            wants("a GRPCRoute needs one that speaks gRPC; make one of version GRPC")
        }
        Kind::GRPCRoute => None,
        _ if !asked.listeners.take_http2()
            && matches!(group.protocol_version, Some(ProtocolVersion::Http2 | ProtocolVersion::Grpc)) =>
        {
            wants(asked.listeners.without_http2())
        }
        _ => None,
    }
}

/// Type, protocol and version, for people.
fn spoken(group: &ExternalTargetGroup) -> String {
    let protocol = group.protocol.map(|protocol| match protocol {
        TargetProtocol::Http => "HTTP",
        TargetProtocol::Https => "HTTPS",
        TargetProtocol::Tcp => "TCP",
    });
    let version = naming::protocol_version(group.protocol_version);
    let protocol = protocol.into_iter().chain(Some(version).filter(|version| !version.is_empty()));
    let protocol = protocol.collect::<Vec<_>>().join("/");
    let of = if protocol.is_empty() { String::new() } else { format!(" of protocol {protocol}") };
    format!("of type {}{of}", group.kind)
}

/// What an import that names a target group comes to, as the condition of its own status. None where it names none.
pub(crate) fn told(view: &View, cluster: &ClusterId, import: &Meta, installation: &str) -> Option<Condition> {
    let what = format!("ServiceImport {}", quoted(&import.name));
    Some(match named(import, Some(&cluster.scope))? {
        Ok(arn) => told_of(view, &cluster.scope, &Named { what, path: path(), arn }, installation),
        Err((reason, problem)) => Condition::no_for(conditions::TARGET_GROUP, reason, vec![problem]),
    })
}

/// What is known of a target group, as a condition.
pub(super) fn told_of(view: &View, scope: &Scope, named: &Named, installation: &str) -> Condition {
    let unknown = |message| Condition {
        kind: conditions::TARGET_GROUP,
        status: "Unknown",
        reason: reasons::PENDING,
        message,
        problems: vec![],
    };
    match view.snapshot.external_groups.get(named.arn) {
        None => unknown(format!("{NOT_ASKED}.")),
        Some(ExternalGroup::Unknown(why)) => unknown(format!(
            "VPC Lattice does not tell of the target group: {why}. What rules lead to it stays."
        )),
        Some(ExternalGroup::Missing) => {
            let problem = Problem::new(Code::ExternalGroup, &named.path, missing(named, scope));
            Condition::no_for(conditions::TARGET_GROUP, reasons::EXTERNAL_GROUP_NOT_FOUND, vec![problem])
        }
        Some(ExternalGroup::Known(group)) => {
            let vpc = group.vpc.as_ref().map(|vpc| format!(", in {vpc}")).unwrap_or_default();
            let text = format!(
                "It stands for the target group {} ({}), {}{vpc}. {}. Routes lead to it, and nothing of it is changed.",
                quoted(&group.name),
                id_of(named.arn),
                spoken(group),
                whose(group, installation)
            );
            Condition::yes(conditions::TARGET_GROUP, reasons::EXTERNAL_GROUP, text)
        }
    }
}

/// Who made a target group, in words.
fn whose(group: &ExternalTargetGroup, installation: &str) -> String {
    let Some(tags) = &group.tags else { return "Whose it is may not be read".to_owned() };
    let nobody = Owner { installation: installation.to_owned(), unit: String::new(), key: String::new() };
    if let Ownership::OtherUnit(unit) = nobody.of(tags) {
        return format!("It is Trellis' own, of {unit}, and goes when that does");
    }
    match tags.get(trellis_lattice::TAG_MANAGED_BY) {
        Some(by) => format!("It is of the AWS Gateway API Controller, {}", quoted(by)),
        None => "It was not made by Trellis".to_owned(),
    }
}
