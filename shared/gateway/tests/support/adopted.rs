//! What the AWS Gateway API Controller made and a person gave to a unit: the same resources under that controller's names.

use trellis_gateway::plain_service_names;
use trellis_hint::UnitKey;
use trellis_lattice::Actual;

/// `actual` under the names that the controller gives: a service's is the route's and the namespace's, each cut; a target
/// group's ends at random; a rule's tells a time.
pub(crate) fn as_the_controller_names(actual: &Actual, unit: &UnitKey) -> Actual {
    let mut text = serde_json::to_string(actual).unwrap();
    let mut rename = |from: &str, to: &str| text = text.replace(&format!("\"{from}\""), &format!("\"{to}\""));
    if let Some(service) = plain_service_names(unit).last() {
        for held in &actual.services {
            rename(&held.name, service);
        }
    }
    for (n, group) in actual.target_groups.iter().enumerate() {
        rename(&group.name, &format!("k8s-default-controllers-abcdefghi{n}"));
    }
    let listeners = actual.services.iter().flat_map(|service| &service.listeners);
    for rule in listeners.flat_map(|listener| &listener.rules) {
        rename(&rule.name, &format!("k8s-1700000000-rule-{}", rule.priority));
    }
    serde_json::from_str(&text).unwrap()
}
