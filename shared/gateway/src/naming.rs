//! Names and tags of what a unit wants. Names depend on nothing that can change in place.

use crate::api::Meta;
use crate::backend::Pool;
use crate::code::Code;
use crate::problem::{Problem, quoted};
use crate::route::RouteId;
use crate::snapshot::ClusterFacts;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, Scope};
use trellis_lattice::names::{label, short_hash, unit_hash};
use trellis_lattice::{
    Actual, ActualService, ListenerProtocol, Ownership, ProtocolVersion, RuleMatch, Status, TAG_BACKEND,
    TAG_MANAGED_BY, TAG_POLICY, TAG_PREFIX, TAG_SOURCE, TAG_USER, TAG_WANTED_BY, Tags, Target,
    user_tags_mark, was_asked_for,
};

/// Characters of a service's name (API model, ServiceName).
const SERVICE_NAME_CHARS: usize = 40;
/// Characters of a route's name and of its namespace in the name that the AWS Gateway API Controller gives a service.
const CONTROLLER_ROUTE_CHARS: usize = 20;
const CONTROLLER_NAMESPACE_CHARS: usize = 18;
/// Characters of a custom domain's hash in a service's name: 24 bits among the few domains of one route.
const DOMAIN_HASH_CHARS: usize = 6;
/// Characters of the hash that a target group's name ends with: with the unit's hash 72 bits.
const CONFIG_HASH_CHARS: usize = 8;
/// Characters of a resource gateway's and a resource configuration's name (API model, ResourceGatewayName).
const RESOURCE_NAME_CHARS: usize = 40;
/// Characters of a rule's name after `r-`: 64 bits among the rules of one listener.
const RULE_HASH_CHARS: usize = 16;
/// Characters for the namespace in a target group's name; with all other parts the name stays within 128.
const GROUP_NAMESPACE_CHARS: usize = 43;
/// Characters for the Service in a target group's name.
const GROUP_SERVICE_CHARS: usize = 55;
/// Characters of a cluster's hash in a tag's key: 48 bits among the clusters of one VPC.
const MARK_HASH_CHARS: usize = 12;
/// Tags that one resource bears (User Guide, tagging), our own among them.
pub(crate) const TAGS_MAX: usize = 50;
/// Tags of our own that one resource bears at most, with room for more: a user's tags are the same on all of them. Not among them are
/// the marks of clusters that want it.
pub(crate) const OWN_TAGS_MAX: usize = 16;
/// Tags that are not the user's beyond which a resource gets no further mark of a cluster: what policies and the grace set needs room.
pub(crate) const TAGS_WITH_MARKS_MAX: usize = 44;
/// The annotation that asks for tags, without the common prefix.
pub(crate) const TAGS_ANNOTATION: &str = "tags";
/// Characters of a tag's key and value (API model, TagKey and TagValue).
const TAG_KEY_CHARS: usize = 128;
const TAG_VALUE_CHARS: usize = 256;

/// What a Lattice service of a route is named by.
///
/// | | asked for by annotation | else |
/// |---|---|---|
/// | the first service of what it is for | to the letter | `<route>-<namespace>`, as the AWS Gateway API Controller names it, where that fits and the service has no custom domain |
/// | where that is taken, or there is none | the same with a hash | the same with a hash |
///
/// A custom domain cannot be changed (UpdateService), so the hash is of the domain too: another domain is another service. Every name
/// but those of the first row holds the unit's hash, by which leftovers are found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServiceName<'a> {
    id: &'a RouteId,
    wanted: Option<&'a str>,
    /// Tells apart the services of one route: the custom domain, or more where one domain needs several services.
    scope: Option<&'a str>,
    /// Whether it is not the first of its domain.
    is_further: bool,
}

impl<'a> ServiceName<'a> {
    /// `slot`: the text of what the service is for.
    pub(crate) fn of(id: &'a RouteId, meta: &'a Meta, slot: Option<&str>, scope: Option<&'a str>) -> Self {
        Self { id, wanted: wanted_name(meta), scope, is_further: scope != slot }
    }

    /// The name that a route has where it asks for none and has no hostname.
    pub(crate) fn plain(id: &'a RouteId) -> Self {
        Self { id, wanted: None, scope: None, is_further: false }
    }

    /// The name if it can be had.
    pub(crate) fn first(&self) -> String {
        let plain = self.readable();
        let is_letter = self.scope.is_none() || self.wanted.is_some() && !self.is_further;
        if is_letter && is_service_name(&plain) { plain } else { self.with_hash() }
    }

    /// The name that nobody else has.
    pub(crate) fn with_hash(&self) -> String {
        let unit = self.id.unit().hash();
        let unit = unit_hash(&unit);
        let suffix =
            self.scope.map_or_else(|| unit.to_owned(), |scope| format!("{unit}-{}", scope_hash(scope)));
        with_suffix(&self.readable(), &suffix)
    }

    fn readable(&self) -> String {
        self.wanted.map_or_else(|| format!("{}-{}", self.id.name, self.id.namespace), str::to_owned)
    }
}

/// What the names of services with this scope end with, whosever they are.
pub(crate) fn scope_hash(scope: &str) -> String {
    short_hash(&[scope], DOMAIN_HASH_CHARS)
}

/// A service's name that is `plain` as far as it can be, and ends with the suffix.
fn with_suffix(plain: &str, suffix: &str) -> String {
    let readable = label(plain.trim_start_matches("svc-"), SERVICE_NAME_CHARS - suffix.len() - 1);
    // A name of hexadecimal digits only could be mistaken for an id.
    if readable.is_empty() { format!("r-{suffix}") } else { format!("{readable}-{suffix}") }
}

/// The name that the AWS Gateway API Controller gives a route's service: as the plain one, with the route's name and the
/// namespace each cut (its `LatticeServiceName`).
pub(crate) fn service_of_controller(id: &RouteId) -> String {
    let cut =
        |text: &str, chars: usize| text.chars().take(chars).collect::<String>().trim_matches('-').to_owned();
    format!("{}-{}", cut(&id.name, CONTROLLER_ROUTE_CHARS), cut(&id.namespace, CONTROLLER_NAMESPACE_CHARS))
}

/// The name of a route's service beside what exists: where the first one is taken, by the same route of another cluster, by
/// somebody else's service or by the unit's own for something else, the same name with a hash. A name once given stays, since
/// another one is another service with another domain name; so does the AWS Gateway API Controller's, once a person has given its
/// service to the unit.
///
/// `is_for`: whether a service is the unit's, stays, and is for the same.
pub(crate) fn service_beside(
    actual: &Actual,
    name: ServiceName,
    is_for: impl Fn(&ActualService) -> bool,
) -> String {
    let (first, second) = (name.first(), name.with_hash());
    let has = |name: &str| actual.services.iter().any(|one| one.name == name && is_for(one));
    let is_taken = || {
        let taken = |one: &ActualService| match one.ownership {
            Ownership::OtherUnit(_) | Ownership::Foreign => true,
            Ownership::Ours => !is_ending(one) && !is_for(one),
            Ownership::Unread => false,
        };
        actual.services.iter().any(|one| one.name == first && taken(one))
    };
    if has(&first) {
        return first;
    }
    let controllers = service_of_controller(name.id);
    if name.wanted.is_none() && name.scope.is_none() && has(&controllers) {
        return controllers;
    }
    if first == second {
        // It holds the unit's hash: nobody else's can be meant.
        return first;
    }
    if has(&second) || is_taken() { second } else { first }
}

/// Whether a service is on its way out: its name is free soon, and nothing is made of it.
pub(crate) fn is_ending(service: &ActualService) -> bool {
    service.status == Status::DeleteInProgress
}

/// Whether an override can be a service's name as it is.
pub(crate) fn is_service_name(name: &str) -> bool {
    (3..=SERVICE_NAME_CHARS).contains(&name.len())
        && label(name, SERVICE_NAME_CHARS) == name
        && !name.starts_with("svc-")
}

/// The service name that a route asks for by annotation, without the common prefix.
pub(crate) const OVERRIDE_ANNOTATION: &str = "service-name-override";

/// The name that a route asks for, if it can be a service's.
pub(crate) fn wanted_name(meta: &Meta) -> Option<&str> {
    meta.annotation(OVERRIDE_ANNOTATION).filter(|name| is_service_name(name))
}

/// Why the name that a route asks for cannot be a service's.
pub(crate) fn override_problem(meta: &Meta) -> Option<Problem> {
    let name = meta.annotation(OVERRIDE_ANNOTATION).filter(|name| !is_service_name(name))?;
    let text = format!(
        "{} is no name of a VPC Lattice service; use 3 to {SERVICE_NAME_CHARS} lower-case letters, digits and single \
         hyphens",
        quoted(name)
    );
    Some(override_note(text))
}

/// A problem with the name that a route asks for.
pub(crate) fn override_note(text: String) -> Problem {
    let path = format!("metadata.annotations[{TAG_PREFIX}{OVERRIDE_ANNOTATION}]");
    Problem::new(Code::AnnotationValue, path, text)
}

/// A listener's name, unique in its service by the port.
pub(crate) fn listener(service: &str, port: u16, protocol: ListenerProtocol) -> String {
    let protocol = match protocol {
        ListenerProtocol::Http => "http",
        ListenerProtocol::Https => "https",
        ListenerProtocol::TlsPassthrough => "tls",
    };
    let service = service.trim_start_matches("listener-");
    format!("{service}-{port}-{protocol}")
}

/// A rule's name: a hash of its match, which is its identity.
pub(crate) fn rule(matches: &RuleMatch) -> String {
    let text = serde_json::to_string(matches).unwrap_or_default();
    format!("r-{}", short_hash(&[&text], RULE_HASH_CHARS))
}

/// A target group's name. Another configuration, another Service or another Lattice service is another group, since
/// the first cannot be changed and one group serves one service only. `scope` names that service, where the unit may have
/// several.
pub(crate) fn target_group(unit: &str, scope: &str, pool: &Pool) -> String {
    let config = serde_json::to_string(&pool.config).unwrap_or_default();
    let cluster = pool.cluster.to_string();
    // One group leads to one function or load balancer, and to another one another group.
    let only = pool.targets.iter().filter_map(Target::only);
    let config = only.fold(config, |config, only| format!("{config}{only}"));
    let named = match pool.kind {
        Kind::Backend => format!("Backend/{}", pool.service),
        _ => pool.service.clone(),
    };
    let parts = [scope, &cluster, &pool.namespace, &named, config.as_str()];
    let namespace = label(&pool.namespace, GROUP_NAMESPACE_CHARS);
    let service = label(&pool.service, GROUP_SERVICE_CHARS);
    let hash = short_hash(&parts, CONFIG_HASH_CHARS);
    let parts = ["k8s", &namespace, &service, unit_hash(unit), &hash];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// The name of a resource gateway or a resource configuration: another one for whatever cannot be changed. `reserved` is what none
/// begins with.
pub(crate) fn resource(name: &str, reserved: &str, unit: &str, fixed: &[&str]) -> String {
    let suffix = format!("{}-{}", unit_hash(unit), short_hash(fixed, CONFIG_HASH_CHARS));
    let readable = label(name.trim_start_matches(reserved), RESOURCE_NAME_CHARS - suffix.len() - 1);
    if readable.is_empty() { format!("r-{suffix}") } else { format!("{readable}-{suffix}") }
}

/// `<account>/<cluster>/<VPC>`.
pub(crate) fn managed_by(facts: &ClusterFacts) -> (String, String) {
    (TAG_MANAGED_BY.to_owned(), format!("{}/{}/{}", facts.id.scope.account, facts.id.name, facts.vpc))
}

/// The tag by which a VPC association or a network tells that this cluster wants it.
pub(crate) fn wanted_by(cluster: &ClusterId) -> String {
    format!("{TAG_WANTED_BY}{}", short_hash(&[&cluster.to_string()], MARK_HASH_CHARS))
}

/// Marks a resource as wanted by a cluster, where it has room for one more mark. A cluster without one is missed only if it is unknown
/// when all that have one give the resource up. Tags of the user's make room ([`crate::tag_room`]).
pub(crate) fn mark(tags: &mut Tags, held: Option<&Tags>, cluster: &ClusterId) {
    let mark = wanted_by(cluster);
    let held_keys = held.into_iter().flat_map(BTreeMap::keys);
    let is_users = |key: &String| is_user_tag(key, tags) || held.is_some_and(|held| is_user_tag(key, held));
    let all: BTreeSet<&String> = tags.keys().chain(held_keys).filter(|key| !is_users(key)).collect();
    if all.contains(&mark) || all.len() < TAGS_WITH_MARKS_MAX {
        tags.insert(mark, cluster.to_string());
    }
}

/// Whether a user has asked for a tag of a resource, as another of these tells.
pub(crate) fn is_user_tag(key: &str, tags: &Tags) -> bool {
    tags.get(TAG_USER).is_some_and(|mark| was_asked_for(key, mark))
}

/// Sets which tags of the user's there are.
pub(crate) fn mark_user_tags<'k>(tags: &mut Tags, keys: impl IntoIterator<Item = &'k String>) {
    match user_tags_mark(keys) {
        mark if mark.is_empty() => _ = tags.remove(TAG_USER),
        mark => _ = tags.insert(TAG_USER.to_owned(), mark),
    }
}

/// Keeps the tags that users have asked for as far as the same are not asked for now.
pub(crate) fn keep_user_tags(held: &Tags, wanted: &mut Tags) {
    let before = held.iter().filter(|(key, _)| is_user_tag(key, held));
    let now = wanted.keys().filter(|key| is_user_tag(key, wanted)).cloned();
    let all: BTreeSet<String> = now.chain(before.clone().map(|(key, _)| key.clone())).collect();
    for (key, value) in before {
        wanted.entry(key.clone()).or_insert_with(|| value.clone());
    }
    mark_user_tags(wanted, &all);
}

/// The clusters that want a VPC association or a network with these tags, each with the tag that says so.
pub(crate) fn wanting(tags: &Tags) -> impl Iterator<Item = (String, ClusterId)> {
    let marks = tags.iter().filter(|(tag, _)| tag.starts_with(TAG_WANTED_BY));
    marks.filter_map(|(tag, cluster)| Some((tag.clone(), cluster.parse().ok()?)))
}

/// Whether a tag is one of [`wanted_by`].
pub(crate) fn is_mark(key: &str) -> bool {
    key.starts_with(TAG_WANTED_BY)
}

/// The cluster that a resource with these tags was made for, of the scope that it is in.
pub(crate) fn maker(scope: &Scope, tags: &Tags) -> Option<ClusterId> {
    let mut parts = tags.get(TAG_MANAGED_BY)?.split('/');
    let is_of_scope = parts.next()? == scope.account;
    ClusterId::new(scope.clone(), parts.next()?).filter(|_| is_of_scope)
}

/// The tag of a target group with its Service's name, without the common prefix.
pub(crate) const SERVICE_NAME: &str = "ServiceName";
/// The tag of a target group with its Service's namespace, without the common prefix.
pub(crate) const SERVICE_NAMESPACE: &str = "ServiceNamespace";

/// The key of a tag with the common prefix.
pub(crate) fn tag_key(name: &str) -> String {
    format!("{TAG_PREFIX}{name}")
}

/// The Service or Backend that a target group's targets come from, as its tags tell: cluster, namespace and name.
pub(crate) fn source_of(tags: &Tags) -> Option<(ClusterId, String, String)> {
    let tag = |name: &str| tags.get(&tag_key(name)).cloned();
    Some((tags.get(TAG_SOURCE)?.parse().ok()?, tag(SERVICE_NAMESPACE)?, tag(SERVICE_NAME)?))
}

/// Whether it is a Service or a Backend.
pub(crate) fn kind_of_source(tags: &Tags) -> Kind {
    if tags.contains_key(TAG_BACKEND) { Kind::Backend } else { Kind::Service }
}

/// A tag with the prefix that this project shares with the AWS Gateway API Controller.
pub(crate) fn tag(name: &str, value: &str) -> (String, String) {
    bounded_tag(&tag_key(name), value)
}

/// A tag with as much of the value as it holds.
pub(crate) fn bounded_tag(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.chars().take(TAG_VALUE_CHARS).collect())
}

/// The tag of a target group with the TargetGroupPolicy that it is made as asked for by. One that it bore before has no
/// value: a tag once set is not taken away.
pub(crate) fn policy_tag(actual: &Actual, group: &str, pool: &Pool) -> Option<(String, String)> {
    let held = || actual.target_groups.iter().find(|held| held.name == group)?.tags.get(TAG_POLICY);
    let value = pool.policy.clone().or_else(|| held().map(|_| String::new()))?;
    Some((TAG_POLICY.to_owned(), value.chars().take(TAG_VALUE_CHARS).collect()))
}

/// The value of the ProtocolVersion tag; empty for TCP.
pub(crate) fn protocol_version(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::Http1) => "HTTP1",
        Some(ProtocolVersion::Http2) => "HTTP2",
        Some(ProtocolVersion::Grpc) => "GRPC",
        None => "",
    }
}

/// The tags that a user asks for by annotation, `key=value` with commas between; a value may be empty. What AWS would
/// refuse, and what has a prefix of ours or of AWS, is left out and told.
pub(crate) fn user_tags(meta: &Meta) -> (Tags, Vec<Problem>) {
    let (mut tags, mut problems) = (Tags::new(), vec![]);
    let pairs = meta.annotation(TAGS_ANNOTATION).unwrap_or_default().split(',').map(str::trim);
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let problem = match pair.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            None => Some("has no \"=\" between key and value; write key=value".to_owned()),
            Some((key, value)) => tag_problem(key, value).or_else(|| {
                if tags.contains_key(key) {
                    return Some(
                        "has a key that stands there before, which counts; leave one out".to_owned(),
                    );
                }
                tags.insert(key.to_owned(), value.to_owned());
                None
            }),
        };
        problems.extend(problem.map(|text| {
            let path = format!("metadata.annotations[{TAG_PREFIX}{TAGS_ANNOTATION}]");
            Problem::new(Code::TagLeftOut, path, format!("The tag {} is left out: it {text}", quoted(pair)))
        }));
    }
    (tags, problems)
}

/// Why a tag cannot be had (AWS General Reference, tag restrictions; prefixes are reserved in any case).
fn tag_problem(key: &str, value: &str) -> Option<String> {
    let lower = key.to_ascii_lowercase();
    let reserved = ["aws:", TAG_PREFIX, "trellis:"].into_iter().find(|prefix| lower.starts_with(prefix));
    if let Some(prefix) = reserved {
        return Some(format!("begins with {}, which is reserved; choose another key", quoted(prefix)));
    }
    let is_taken = |c: &char| !(c.is_alphanumeric() || *c == ' ' || "_.:/=+-@".contains(*c));
    if let Some(strange) = key.chars().chain(value.chars()).find(is_taken) {
        let strange = quoted(&strange.to_string());
        return Some(format!(
            "has the character {strange}, which AWS takes in no tag; leave the character out"
        ));
    }
    if !(1..=TAG_KEY_CHARS).contains(&key.chars().count()) {
        return Some(format!("has a key that is not of 1 to {TAG_KEY_CHARS} characters; choose another one"));
    }
    (value.chars().count() > TAG_VALUE_CHARS)
        .then(|| format!("has a value of more than {TAG_VALUE_CHARS} characters; shorten it"))
}

/// What is to be told of the tags that an annotation asks for: those left out, and those beyond what a resource bears.
pub(crate) fn tag_problems(meta: &Meta) -> Vec<Problem> {
    let (tags, mut problems) = user_tags(meta);
    if let Some(more @ 1..) = tags.len().checked_sub(TAGS_MAX - OWN_TAGS_MAX) {
        let path = format!("metadata.annotations[{TAG_PREFIX}{TAGS_ANNOTATION}]");
        let text = format!(
            "A resource bears {TAGS_MAX} tags, up to {OWN_TAGS_MAX} of them Trellis' own: the last {more} in order of \
             their keys are left out; ask for fewer"
        );
        problems.push(Problem::new(Code::TagLeftOut, path, text));
    }
    problems
}

/// Our own tags, and as many of the user's as a resource can bear beside them.
pub(crate) fn tags(own: impl IntoIterator<Item = (String, String)>, user: &Tags) -> Tags {
    let mut tags: Tags = own.into_iter().collect();
    for (key, value) in user.iter().take(TAGS_MAX - OWN_TAGS_MAX) {
        if tags.len() < TAGS_MAX {
            tags.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    if !user.is_empty() {
        tags.insert(TAG_USER.to_owned(), user_tags_mark(user.keys().take(TAGS_MAX - OWN_TAGS_MAX)));
    }
    tags
}
