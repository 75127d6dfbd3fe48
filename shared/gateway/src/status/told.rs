//! What a route's status tells of what we wrote there.

use super::told_names;
use crate::gateway::CONTROLLER;
use crate::units::scope_beside;
use crate::{conditions, naming};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How an Accepted message of ours begins once a service exists.
pub(super) const DNS_MESSAGE: &str = "DNS Name: ";

/// How the Programmed message of a route goes on that is refused while VPC Lattice has something of it. Domain names follow.
pub(super) const KEPT_MESSAGE: &str = "VPC Lattice keeps what it had before this edit, under DNS Name: ";

/// Characters between a service's name and the next dot in its domain name: a service id without `svc-`.
const ID_CHARS: usize = 17;

/// The domain names in a route's status that we wrote there.
pub(crate) fn dns_names(route: &Value) -> Vec<String> {
    names_in(conditions_of(route))
}

/// The domain names in a route's entries for one Gateway, which is told by its namespace and name.
pub(crate) fn dns_names_at(route: &Value, namespace: &str, name: &str) -> Vec<String> {
    let own = route.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    let text = |entry: &Value, member: &str, default: &str| {
        let parent = entry.get("parentRef").and_then(|parent| parent.get(member)).and_then(Value::as_str);
        parent.unwrap_or(default).to_owned()
    };
    let at = entries_of(route)
        .filter(|entry| text(entry, "name", "") == name && text(entry, "namespace", own) == namespace);
    names_in(at.filter_map(|entry| entry.get("conditions").and_then(Value::as_array)).flatten())
}

fn names_in<'a>(conditions: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    for condition in conditions {
        let text = |member: &str| condition.get(member).and_then(Value::as_str).unwrap_or_default();
        let listed = match text("type") {
            conditions::ACCEPTED => text("message").strip_prefix(DNS_MESSAGE),
            conditions::PROGRAMMED => text("message").split_once(KEPT_MESSAGE).map(|(_, names)| names),
            _ => None,
        };
        let listed = listed.unwrap_or_default().trim_end_matches('.');
        for name in listed.split(", ").filter(|name| !name.is_empty()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// The name of the service that a domain name belongs to.
pub(crate) fn service_of(dns_name: &str) -> Option<&str> {
    let (service, id) = dns_name.split('.').next()?.rsplit_once('-')?;
    (id.len() == ID_CHARS).then_some(service)
}

/// Whether a domain name in a route's status is that of a service for a hostname in one of the networks, whosever it is: the status
/// tells, or the name has the hash of that.
pub(crate) fn is_name_for(route: &Value, dns_name: &str, hostname: &str, networks: &BTreeSet<&str>) -> bool {
    match service_of(dns_name).and_then(|service| told_names::told_slot(route, service)) {
        Some(told) => told == hostname,
        None => has_hash_of(dns_name, hostname, networks),
    }
}

/// Whether a domain name is that of a service whose name has the hash of a hostname, in one of the networks.
pub(super) fn has_hash_of(dns_name: &str, hostname: &str, networks: &BTreeSet<&str>) -> bool {
    let beside = networks.iter().map(|network| scope_beside(Some(hostname), network));
    let scopes = [hostname.to_owned()].into_iter().chain(beside);
    let ends =
        |service: &str| scopes.map(|scope| naming::scope_hash(&scope)).any(|hash| service.ends_with(&hash));
    service_of(dns_name).is_some_and(ends)
}

/// The names of the services that a route's status tells of.
pub(crate) fn told_services(route: &Value) -> BTreeSet<String> {
    dns_names(route).iter().filter_map(|name| service_of(name)).map(str::to_owned).collect()
}

/// The services that a route's status tells of: their names, by their ids.
pub(crate) fn told_ids(route: &Value) -> BTreeMap<String, String> {
    let named = dns_names(route).into_iter().filter_map(|name| {
        let (service, id) = name.split('.').next()?.rsplit_once('-')?;
        (id.len() == ID_CHARS).then(|| (format!("svc-{id}"), service.to_owned()))
    });
    named.collect()
}

/// The service that serves a route under a hostname, as its status tells.
pub(crate) fn told_service(route: &Value, hostname: &str, networks: &BTreeSet<&str>) -> Option<String> {
    let names = dns_names(route);
    let name = names.iter().find(|name| is_name_for(route, name, hostname, networks))?;
    service_of(name).map(str::to_owned)
}

/// Whether we have written nothing yet into a route's status.
pub(crate) fn tells_nothing(route: &Value) -> bool {
    conditions_of(route).next().is_none()
}

/// Whether a route's status tells that something serves it under a hostname.
pub(crate) fn tells_of(route: &Value, hostname: &str, networks: &BTreeSet<&str>) -> bool {
    dns_names(route).iter().any(|name| is_name_for(route, name, hostname, networks))
}

/// Whether a route's status tells of services, and all of them are for one of these.
pub(crate) fn tells_only(route: &Value, hostnames: &[String], networks: &BTreeSet<&str>) -> bool {
    let names = dns_names(route);
    let is_one =
        |name: &String| hostnames.iter().any(|hostname| is_name_for(route, name, hostname, networks));
    !names.is_empty() && names.iter().all(is_one)
}

/// The conditions of a route's entries that are ours.
pub(super) fn conditions_of(route: &Value) -> impl Iterator<Item = &Value> {
    entries_of(route).filter_map(|entry| entry.get("conditions").and_then(Value::as_array)).flatten()
}

/// The entries of a route's status that are ours.
pub(crate) fn entries_of(route: &Value) -> impl Iterator<Item = &Value> {
    // Asked of every route of a cluster: `Value::pointer` allocates for each step of its way.
    let entries = route.get("status").and_then(|status| status.get("parents")?.as_array());
    entries.into_iter().flatten().filter(|entry| is_ours(entry))
}

/// Whether a message of a route's status has these words.
pub(crate) fn has_words(route: &Value, words: &str) -> bool {
    let messages = conditions_of(route).filter_map(|one| one.get("message").and_then(Value::as_str));
    messages.into_iter().any(|message| message.contains(words))
}

/// Whether a route's status says that its services are in no service network.
pub(crate) fn is_standalone(route: &Value) -> bool {
    conditions_of(route).any(|one| one.get("type").and_then(Value::as_str) == Some(conditions::STANDALONE))
}

/// Whether a route's status says that it is merged with those of other clusters.
pub(crate) fn is_merged(route: &Value) -> bool {
    conditions_of(route).any(|one| one.get("type").and_then(Value::as_str) == Some(conditions::MERGED))
}

/// Whether there are conditions that we wrote, and all are of the object's present generation.
pub(crate) fn is_told(object: &Value) -> bool {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
    let own = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let mut all = conditions_of(object).chain(own).peekable();
    let observed = |one: &Value| one.get("observedGeneration").and_then(Value::as_i64).unwrap_or_default();
    all.peek().is_some() && all.all(|one| observed(one) >= generation)
}

/// Whether a route's status says of all its parents that VPC Lattice has what is asked for there.
pub(crate) fn is_programmed(route: &Value) -> bool {
    let is_programmed =
        |one: &&Value| one.get("type").and_then(Value::as_str) == Some(conditions::PROGRAMMED);
    let mut all = conditions_of(route).filter(is_programmed).peekable();
    all.peek().is_some() && all.all(|one| one.get("status").and_then(Value::as_str) == Some("True"))
}

/// When an object came to what no status of ours tells of yet (RFC 3339); none where all is told, or nobody says when.
///
/// An export of nothing but a name has no `managedFields`, as nobody set a field of it: it is as it was made.
pub(crate) fn untold_since(object: &Value) -> Option<&str> {
    let fields = object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
    let changed = fields.filter_map(|entry| entry.get("time").and_then(Value::as_str)).max();
    changed.or_else(|| made_at(object)).filter(|_| !is_told(object))
}

/// When an object that was never changed was made.
fn made_at(object: &Value) -> Option<&str> {
    let first = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default() <= 1;
    object.pointer("/metadata/creationTimestamp").and_then(Value::as_str).filter(|_| first)
}

/// Whether an entry of `status.parents` is ours.
pub(crate) fn is_ours(entry: &Value) -> bool {
    entry.get("controllerName").and_then(Value::as_str) == Some(CONTROLLER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_is_told_when_what_we_said_is_of_its_generation() {
        let route = |controller: &str, observed: i64| {
            let conditions = json!([{"type": "Accepted", "observedGeneration": observed}]);
            let parents = json!([{"controllerName": controller, "conditions": conditions}]);
            json!({"metadata": {"generation": 2}, "status": {"parents": parents}})
        };
        assert!(is_told(&route(CONTROLLER, 2)) && !is_told(&route(CONTROLLER, 1)));
        assert!(!is_told(&route("example.com/mesh", 2)), "what others say is not our word");
        let export = |observed: i64| json!({"metadata": {"generation": 1}, "status": {"conditions": [{"observedGeneration": observed}]}});
        assert!(is_told(&export(1)) && !is_told(&export(0)) && !is_told(&json!({})));
    }

    #[test]
    fn what_is_untold_is_so_since_the_last_change() {
        let export = |observed: i64| {
            let fields = json!([{"time": "2026-01-01T00:00:09Z"}, {"time": "2026-01-01T00:00:10Z"}]);
            json!({"metadata": {"generation": 1, "managedFields": fields}, "status": {"conditions": [{"observedGeneration": observed}]}})
        };
        assert_eq!(untold_since(&export(0)), Some("2026-01-01T00:00:10Z"));
        assert_eq!(untold_since(&export(1)), None, "all is told");
        assert_eq!(untold_since(&json!({"metadata": {"generation": 1}})), None, "nobody says when");
        let made = |generation: i64| json!({"metadata": {"generation": generation, "creationTimestamp": "2026-01-01T00:00:08Z"}});
        assert_eq!(untold_since(&made(1)), Some("2026-01-01T00:00:08Z"), "it is as it was made");
        assert_eq!(untold_since(&made(2)), None, "nobody says when it changed");
    }

    /// Gateways and routes of the same hostname read domain names in the message that a route's unit wrote, perhaps one of
    /// an older version: rewording it is a change of protocol.
    #[test]
    fn the_message_that_holds_domain_names_is_a_wire_format() {
        let entry = |controller: &str, message: &str| json!({"controllerName": controller, "conditions": [{"type": "Accepted", "message": message}]});
        let route = json!({"status": {"parents": [
            entry(CONTROLLER, "DNS Name: a.on.aws, b.on.aws"),
            entry(CONTROLLER, "DNS Name: b.on.aws, c.on.aws"),
            entry(CONTROLLER, "Something else: x"),
            entry("example.com/mesh", "DNS Name: d.on.aws"),
        ]}});
        assert_eq!(dns_names(&route), ["a.on.aws", "b.on.aws", "c.on.aws"]);
        assert!(dns_names(&json!({"status": 7})).is_empty());
    }
}
