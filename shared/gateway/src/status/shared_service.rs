//! What routes that share a Lattice service tell each other: a condition on the leader's entries names the followers
//! whose rules the service has, and one on a follower's names the leader.

use super::told::{conditions_of, dns_names_at, entries_of, is_name_for, service_of};
use crate::report::{Condition, ParentReport, RouteReport, Serving};
use crate::snapshot::{ObjectKey, Snapshot};
use crate::{conditions, problem, reasons};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, UnitKey};

/// How a follower's message names its leader, before the hostname and after it.
const FOLLOWER_MESSAGE: &str = " for this route too.";

/// The condition for a parent of a report; none where nothing is shared in its network.
pub(super) fn condition(report: &RouteReport, parent: &ParentReport) -> Option<Condition> {
    condition_of(report.services_of(parent))
}

fn condition_of<'a>(services: impl Iterator<Item = &'a Serving>) -> Option<Condition> {
    let sentences: Vec<String> = services
        .filter_map(|serving| {
            let hostname = serving.hostname.as_deref().unwrap_or_default();
            match &serving.leader {
                Some(leader) => {
                    Some(format!("The service of {} serves {hostname}{FOLLOWER_MESSAGE}", named(leader)))
                }
                None if serving.followers.is_empty() => None,
                None => {
                    let followers: Vec<String> = serving
                        .followers
                        .iter()
                        .map(|(follower, generation)| listed(follower, *generation))
                        .collect();
                    Some(format!(
                        "The service for {hostname} also has the rules of {}.",
                        followers.join(", ")
                    ))
                }
            }
        })
        .collect();
    (!sentences.is_empty())
        .then(|| Condition::yes(conditions::SHARED_SERVICE, reasons::SAME_HOSTNAME, sentences.join(" ")))
}

/// The condition that tells of rules from before an edit that cannot be had.
pub(super) fn kept_condition(report: &RouteReport) -> Option<Condition> {
    let kept = report.kept.as_ref()?;
    let routes: Vec<String> = kept.routes.iter().map(named).collect();
    let sources: Vec<String> =
        kept.sources.iter().map(|(kind, namespace, name)| format!("{kind} {namespace}/{name}")).collect();
    let lead =
        if sources.is_empty() { String::new() } else { format!(" They lead to {}.", sources.join(", ")) };
    let text = format!(
        "VPC Lattice keeps the rules that it had of {} before an edit that it cannot do.{lead}",
        routes.join(", ")
    );
    Some(Condition::yes(conditions::KEPT_RULES, reasons::EDIT_REFUSED, text))
}

/// The Services of its own cluster that kept rules of a route lead to, as its status names them: namespaces and names.
pub(crate) fn kept_services(route: &Value) -> BTreeSet<(String, String)> {
    kept_sources(route, Kind::Service)
}

/// As [`kept_services`], of Services or of Backends.
pub(crate) fn kept_sources(route: &Value, kind: Kind) -> BTreeSet<(String, String)> {
    let kept = conditions_of(route)
        .filter(|one| one.get("type").and_then(Value::as_str) == Some(conditions::KEPT_RULES));
    let messages = kept.filter_map(|one| one.get("message").and_then(Value::as_str));
    let words = messages.flat_map(|message| {
        let words: Vec<&str> = message.split_whitespace().collect();
        words
            .windows(2)
            .filter(|pair| pair[0] == kind.as_str())
            .map(|pair| pair[1].to_owned())
            .collect::<Vec<_>>()
    });
    let names = words.filter_map(|word| {
        let (namespace, name) = word.trim_end_matches([',', '.']).split_once('/')?;
        Some((namespace.to_owned(), name.to_owned()))
    });
    names.collect()
}

/// Whether a route's status tells that another route's service serves it under a hostname.
pub(crate) fn tells_leader(route: &Value, hostname: &str) -> bool {
    let shared = conditions_of(route)
        .filter(|one| one.get("type").and_then(Value::as_str) == Some(conditions::SHARED_SERVICE));
    let text = format!(" serves {hostname}{FOLLOWER_MESSAGE}");
    shared.filter_map(|one| one.get("message").and_then(Value::as_str)).any(|message| message.contains(&text))
}

/// The route whose service serves this one under a hostname, as its status tells.
pub(crate) fn leader_of(cluster: &ClusterId, route: &Value, hostname: &str) -> Option<UnitKey> {
    let text = format!(" serves {hostname}{FOLLOWER_MESSAGE}");
    let shared = conditions_of(route)
        .filter(|one| one.get("type").and_then(Value::as_str) == Some(conditions::SHARED_SERVICE));
    let messages = shared.filter_map(|one| one.get("message").and_then(Value::as_str));
    let mut before = messages.filter_map(|message| message.split_once(&text).map(|(before, _)| before));
    before.find_map(|before| units_in(cluster, before).pop())
}

/// Conditions whose messages name routes.
const NAMING: [&str; 4] =
    [conditions::SHARED_SERVICE, conditions::ACCEPTED, conditions::PROGRAMMED, conditions::KEPT_RULES];

/// Messages of a route's status that may name routes.
fn naming_messages(route: &Value) -> impl Iterator<Item = &str> {
    let conditions = conditions_of(route)
        .filter(|one| one.get("type").and_then(Value::as_str).is_some_and(|kind| NAMING.contains(&kind)));
    conditions.filter_map(|one| one.get("message").and_then(Value::as_str))
}

/// The routes that share a service with a route, as its status tells; of a follower with the generation whose rules the service
/// has.
pub(crate) fn sharers(cluster: &ClusterId, route: &Value) -> BTreeMap<UnitKey, Option<i64>> {
    let shared = conditions_of(route)
        .filter(|one| one.get("type").and_then(Value::as_str) == Some(conditions::SHARED_SERVICE));
    let messages = shared.filter_map(|one| one.get("message").and_then(Value::as_str));
    let named = messages.flat_map(|message| {
        // As `listed` writes a follower.
        let parts = message.split_inclusive(')');
        parts.flat_map(|part| {
            let generation = part.rsplit_once(" (generation ").and_then(|(_, rest)| rest.strip_suffix(')'));
            let generation = generation.and_then(|text| text.parse().ok());
            units_in(cluster, part).into_iter().map(move |unit| (unit, generation))
        })
    });
    named.collect()
}

/// Whether a message of a route's status lists problems and leaves some out, which may name any route.
pub(crate) fn is_cut(route: &Value) -> bool {
    naming_messages(route).any(problem::is_cut)
}

/// The routes that a route's status names: those that share a service with it, and those that have what it asks for.
pub(crate) fn mentioned(cluster: &ClusterId, route: &Value) -> BTreeSet<UnitKey> {
    naming_messages(route).flat_map(|message| units_in(cluster, message)).collect()
}

/// Whether a route's status names another one of its cluster, in whose unit somebody asks this of all routes.
pub(crate) fn mentions(cluster: &ClusterId, route: &Value, own: &UnitKey, key: &ObjectKey) -> bool {
    let path = format!("{}/{}", key.namespace, key.name);
    // By the text first: of a thousand routes few name another one.
    naming_messages(route).any(|message| message.contains(&path) && units_in(cluster, message).contains(own))
}

/// The units of routes that a message names as `<kind> <namespace>/<name>`.
fn units_in(cluster: &ClusterId, message: &str) -> Vec<UnitKey> {
    let words: Vec<&str> = message.split_whitespace().collect();
    let pairs = words.windows(2).filter_map(|pair| {
        let kind = Kind::parse(pair[0]).filter(|kind| kind.is_route())?;
        // A sentence goes on behind a name by any sign; no name ends with one.
        let is_sign = |sign: char| !sign.is_ascii_alphanumeric();
        let (namespace, name) = pair[1].trim_end_matches(is_sign).split_once('/')?;
        Some(UnitKey::Route {
            kind,
            cluster: cluster.clone(),
            namespace: namespace.into(),
            name: name.into(),
        })
    });
    pairs.collect()
}

/// How the service of a leader stands, as the leader's status tells.
pub(super) struct Leader<'a> {
    object: Option<&'a Value>,
    pub(super) key: &'a ObjectKey,
}

impl<'a> Leader<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, cluster: &ClusterId, serving: &'a Serving) -> Option<Self> {
        let key = serving.leader.as_ref()?;
        Some(Self { object: snapshot.get(cluster, key.kind, &key.namespace, &key.name), key })
    }

    /// The domain name of its service for a hostname in the networks.
    pub(super) fn dns_name(&self, serving: &Serving) -> Option<String> {
        let hostname = serving.hostname.as_deref().unwrap_or_default();
        let networks: BTreeSet<&str> = serving.networks.iter().map(String::as_str).collect();
        let object = self.object?;
        let in_networks = entries_in(object, &networks);
        let mut names: Vec<String> =
            in_networks.into_iter().filter(|name| is_name_for(object, name, hostname, &networks)).collect();
        // Where it has several for the hostname, the one of the expected name is meant.
        names.sort_by_key(|name| service_of(name) != Some(serving.service.as_str()));
        names.into_iter().next()
    }

    /// Whether its service has the rules of that generation of a follower.
    pub(super) fn lists(&self, follower: &ObjectKey, generation: i64) -> bool {
        let text = listed(follower, Some(generation));
        self.conditions(conditions::SHARED_SERVICE).any(|one| {
            one.get("message").and_then(Value::as_str).is_some_and(|message| message.contains(&text))
        })
    }

    /// Whether VPC Lattice has what it wants in a network: for a route that is refused or not served as a whole its reason tells,
    /// since it is never called programmed. What is in the way in another network is nothing to this one.
    pub(super) fn is_done(&self, network: &str) -> bool {
        let entries = self.object.into_iter().flat_map(entries_of);
        let there =
            entries.filter(|entry| entry.pointer("/parentRef/name").and_then(Value::as_str) == Some(network));
        let conditions = there.filter_map(|entry| entry.get("conditions")?.as_array()).flatten();
        let programmed =
            |one: &&Value| one.get("type").and_then(Value::as_str) == Some(conditions::PROGRAMMED);
        conditions.filter(programmed).any(|one| {
            let text = |member: &str| one.get(member).and_then(Value::as_str);
            text("status") == Some("True")
                || text("reason").is_some_and(|reason| reasons::DONE.contains(&reason))
        })
    }

    pub(super) fn unit(&self, cluster: &ClusterId) -> UnitKey {
        let ObjectKey { kind, namespace, name } = self.key.clone();
        UnitKey::Route { kind, cluster: cluster.clone(), namespace, name }
    }

    fn conditions(&self, kind: &'static str) -> impl Iterator<Item = &'a Value> {
        let all = self.object.into_iter().flat_map(conditions_of);
        all.filter(move |one| one.get("type").and_then(Value::as_str) == Some(kind))
    }
}

/// Whether another route's service has the rules of that generation of a route, and VPC Lattice has all of it in all its networks.
pub(crate) fn is_in_service(
    snapshot: &Snapshot,
    cluster: &ClusterId,
    serving: &Serving,
    (follower, generation): (&ObjectKey, i64),
) -> bool {
    Leader::of(snapshot, cluster, serving).is_some_and(|leader| {
        let mut networks = serving.networks.iter();
        leader.lists(follower, generation) && networks.all(|network| leader.is_done(network))
    })
}

/// The domain names in a route's entries for Gateways of these networks.
fn entries_in(route: &Value, networks: &BTreeSet<&str>) -> Vec<String> {
    let own = route.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    let parents = route.pointer("/spec/parentRefs").and_then(Value::as_array).into_iter().flatten();
    let of_networks = parents.filter_map(|parent| {
        let text = |member: &str| parent.get(member).and_then(Value::as_str);
        let name = text("name").filter(|name| networks.contains(name))?;
        Some((text("namespace").unwrap_or(own), name))
    });
    of_networks.flat_map(|(namespace, name)| dns_names_at(route, namespace, name)).collect()
}

pub(super) fn named(key: &ObjectKey) -> String {
    format!("{} {}/{}", key.kind, key.namespace, key.name)
}

/// A follower, with the generation whose rules the service has, if it has those that the route asks for.
fn listed(key: &ObjectKey, generation: Option<i64>) -> String {
    let which = generation.map_or_else(|| "as before".to_owned(), |number| format!("generation {number}"));
    format!("{} ({which})", named(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::CONTROLLER;
    use crate::status::merge::MESSAGE_CHARS_MAX;
    use serde_json::json;

    fn one() -> ClusterId {
        "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap()
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey { kind: Kind::HTTPRoute, namespace: "shop".into(), name: name.into() }
    }

    fn serving(leader: Option<ObjectKey>, followers: Vec<(ObjectKey, Option<i64>)>) -> Serving {
        let networks = BTreeSet::from(["n".to_owned()]);
        let (service, hostname) = ("s".into(), Some("a.example".into()));
        Serving { service, hostname, networks, parents: None, leader, followers }
    }

    fn told(serving: &Serving) -> Condition {
        condition_of([serving].into_iter()).unwrap()
    }

    fn route_with(message: &str) -> Value {
        json!({"status": {"parents": [{"controllerName": CONTROLLER, "conditions": [{"type": "application-networking.k8s.aws/SharedService", "message": message}]}]}})
    }

    fn names(units: &BTreeSet<UnitKey>) -> Vec<&str> {
        units
            .iter()
            .filter_map(|unit| match unit {
                UnitKey::Route { name, .. } => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Routes of one hostname read each other's sentences, perhaps those of an older version: rewording one is a change of
    /// protocol.
    #[test]
    fn the_sentences_of_a_leader_and_its_followers_are_a_wire_format() {
        let lead = told(&serving(None, vec![(key("b"), Some(3)), (key("c"), Some(12)), (key("k"), None)]));
        assert_eq!(
            (lead.kind, lead.status, lead.reason),
            ("application-networking.k8s.aws/SharedService", "True", "SameHostname")
        );
        assert_eq!(
            lead.message,
            "The service for a.example also has the rules of HTTPRoute shop/b (generation 3), HTTPRoute shop/c \
             (generation 12), HTTPRoute shop/k (as before)."
        );
        let followed = told(&serving(Some(key("lead")), vec![]));
        assert_eq!(
            followed.message,
            "The service of HTTPRoute shop/lead serves a.example for this route too."
        );
        assert_eq!(names(&mentioned(&one(), &route_with(&lead.message))), ["b", "c", "k"]);
        assert_eq!(names(&mentioned(&one(), &route_with(&followed.message))), ["lead"]);

        let noted = route_with(
            "Requests are answered 404, and not by HTTPRoute shop/open: name it, or HTTPRoute shop/b; no more",
        );
        assert_eq!(names(&mentioned(&one(), &noted)), ["b", "open"]);

        let (object, leader_key) = (route_with(&lead.message), key("lead"));
        let leader = Leader { object: Some(&object), key: &leader_key };
        assert!(leader.lists(&key("b"), 3) && leader.lists(&key("c"), 12));
        assert!(!leader.lists(&key("b"), 4) && !leader.lists(&key("c"), 1) && !leader.lists(&key("d"), 3));
        let generations: Vec<Option<i64>> = sharers(&one(), &object).into_values().collect();
        assert_eq!(generations, [Some(3), Some(12), None]);
    }

    /// A message that is cut would leave the last followers waiting for ever. The quota of rules in a listener, 10 by
    /// default, lets fewer routes share one.
    #[test]
    fn a_leaders_message_holds_ninety_followers_of_the_longest_names() {
        let longest = ObjectKey { namespace: "n".repeat(63), name: "r".repeat(253), ..key("") };
        let all = told(&serving(None, vec![(longest, Some(1_000_000)); 90]));
        assert!(all.message.chars().count() <= MESSAGE_CHARS_MAX, "{}", all.message.len());
    }
}
