//! What a route's status tells of what we wrote there.

use crate::conditions;
use crate::gateway::CONTROLLER;
use serde_json::Value;

/// How an Accepted message of ours begins once a service exists.
pub(super) const DNS_MESSAGE: &str = "DNS Name: ";

/// The domain names in a route's status that we wrote there.
pub(crate) fn dns_names(route: &Value) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    let accepted = conditions_of(route)
        .filter(|one| one.get("type").and_then(Value::as_str) == Some(conditions::ACCEPTED));
    for message in accepted.filter_map(|one| one.get("message").and_then(Value::as_str)) {
        let message = message.strip_prefix(DNS_MESSAGE);
        for name in message.unwrap_or_default().split(", ").filter(|name| !name.is_empty()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// The conditions of a route's entries that are ours.
pub(super) fn conditions_of(route: &Value) -> impl Iterator<Item = &Value> {
    let entries = route.pointer("/status/parents").and_then(Value::as_array);
    let ours = entries.into_iter().flatten().filter(|entry| is_ours(entry));
    ours.filter_map(|entry| entry.get("conditions").and_then(Value::as_array)).flatten()
}

/// Whether there are conditions that we wrote, and all are of the object's present generation.
pub(crate) fn is_told(object: &Value) -> bool {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
    let own = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let mut all = conditions_of(object).chain(own).peekable();
    let observed = |one: &Value| one.get("observedGeneration").and_then(Value::as_i64).unwrap_or_default();
    all.peek().is_some() && all.all(|one| observed(one) >= generation)
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
