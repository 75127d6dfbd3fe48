//! Which hostname a service is for whose name does not tell: routes that share one find it by that in each other's statuses.

use super::Context;
use super::route_status::domain_name;
use super::told::{conditions_of, has_hash_of, service_of};
use crate::report::{Condition, RouteReport};
use crate::{conditions, reasons};
use serde_json::Value;
use std::collections::BTreeSet;

/// The condition for a report; none where the names tell.
pub(super) fn condition(context: &Context, report: &RouteReport) -> Option<Condition> {
    let sentences: BTreeSet<String> = report
        .services
        .iter()
        .filter_map(|serving| {
            let slot = serving.hostname.as_deref()?;
            let name = domain_name(context, report, serving)?;
            let networks = serving.networks.iter().map(String::as_str).collect();
            let is_told = has_hash_of(&name, slot, &networks);
            service_of(&name).filter(|_| !is_told).map(|service| sentence(service, slot))
        })
        .collect();
    let text = sentences.into_iter().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then(|| Condition::yes(conditions::SERVICE_NAMES, reasons::NAMED, text))
}

/// What the service of that name serves, as a route's status tells.
pub(crate) fn told_slot<'a>(route: &'a Value, service: &str) -> Option<&'a str> {
    let begin = format!("The service {service} serves \"");
    messages(route).find_map(|message| message.split_once(&begin)?.1.split('"').next())
}

/// Whether a route's status tells that the service of that name serves a slot.
pub(crate) fn tells_name(route: &Value, service: &str, slot: &str) -> bool {
    told_slot(route, service) == Some(slot)
}

fn messages(route: &Value) -> impl Iterator<Item = &str> {
    let told = conditions_of(route)
        .filter(|one| one.get("type").and_then(Value::as_str) == Some(conditions::SERVICE_NAMES));
    told.filter_map(|one| one.get("message").and_then(Value::as_str))
}

fn sentence(service: &str, slot: &str) -> String {
    format!("The service {service} serves \"{slot}\".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::CONTROLLER;
    use serde_json::json;

    /// Routes of one hostname read each other's sentences, perhaps those of an older version: rewording one is a change of
    /// protocol.
    #[test]
    fn what_a_service_serves_is_a_wire_format() {
        let text =
            "The service pay serves \"a.example.com\". The service shop serves \"Gateway default/hotel\".";
        assert_eq!(
            [sentence("pay", "a.example.com"), sentence("shop", "Gateway default/hotel")].join(" "),
            text
        );
        let kind = conditions::SERVICE_NAMES;
        let route = json!({"status": {"parents": [
            {"controllerName": CONTROLLER, "conditions": [{"type": kind, "message": text}]}
        ]}});
        assert_eq!(told_slot(&route, "pay"), Some("a.example.com"));
        assert!(tells_name(&route, "shop", "Gateway default/hotel"));
        assert!(!tells_name(&route, "pay", "a.example"));
        assert_eq!(told_slot(&route, "sho"), None);
    }
}
