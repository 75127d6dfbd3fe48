//! By which domain names the VPC of a Gateway that comes by an endpoint reaches the services of its routes: a Gateway's status tells it in
//! a condition of its own, and the routes' units read it there.
//!
//! An endpoint has a domain name for each service (DescribeVpcEndpointAssociations). A Gateway's addresses do not tell which is whose,
//! and where routes have hostnames they are only one.

use super::Context;
use crate::report::{Condition, GatewayReport, RouteReport, Serving};
use crate::units::vpc_access::{is_by_endpoint, service_id};
use crate::{conditions, reasons};
use serde_json::Value;
use trellis_hint::Kind;

/// Services that a condition names; a message has room for more. The others have no DNS record, and the Gateway's addresses for all else.
const NAMES_MAX: usize = 200;

/// The condition of a Gateway whose VPC comes by an endpoint that has names.
pub(super) fn condition(report: &GatewayReport) -> Option<Condition> {
    let told = report.endpoint_names.iter().take(NAMES_MAX);
    let pairs: Vec<String> = told.map(|(service, name)| format!("{service} {name}")).collect();
    (!pairs.is_empty())
        .then(|| Condition::yes(conditions::ENDPOINT_NAMES, reasons::BY_ENDPOINT, pairs.join(", ")))
}

/// Whether a new status tells names that the old one did not, or no longer tells some.
pub(super) fn are_news(old: Option<&Value>, new: Option<&Value>) -> bool {
    message(old) != message(new)
}

fn message(conditions: Option<&Value>) -> Option<&str> {
    let mut all = conditions.and_then(Value::as_array)?.iter();
    let told = all.find(|one| one.get("type").and_then(Value::as_str) == Some(conditions::ENDPOINT_NAMES))?;
    told.get("message").and_then(Value::as_str)
}

/// How a cluster's VPC reaches a service that serves a route.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the service's own domain name.
    OwnName,
    /// By this domain name of an endpoint.
    Endpoint(String),
    /// By one of an endpoint that is not known yet.
    Unknown,
}

/// How the cluster's VPC reaches a service with this domain name that serves the route: by its own, unless it comes by endpoints to
/// all Gateways in whose networks the service is.
pub(crate) fn way(context: &Context, report: &RouteReport, serving: &Serving, domain: &str) -> Way {
    let taken = report.parents.iter().filter(|parent| parent.accepted.is_true());
    let gateways: Vec<Option<&Value>> = taken
        .filter(|parent| serving.networks.contains(&parent.gateway))
        .map(|parent| gateway(context, report, &parent.parent_ref, &parent.gateway))
        .collect();
    let comes_by = |gateway: &Value| is_by_endpoint(&crate::api::meta(gateway));
    if gateways.is_empty() || !gateways.iter().all(|one| one.is_some_and(comes_by)) {
        return Way::OwnName;
    }
    let known = gateways.into_iter().flatten().find_map(|gateway| name_for(gateway, domain));
    known.map_or(Way::Unknown, Way::Endpoint)
}

/// The Gateway that a route's parent reference names.
pub(super) fn gateway<'a>(
    context: &Context<'a>,
    report: &RouteReport,
    parent_ref: &Value,
    name: &str,
) -> Option<&'a Value> {
    let subject = &report.subject;
    let named = parent_ref.get("namespace").and_then(Value::as_str);
    let namespace = named.unwrap_or(&subject.object.namespace);
    context.snapshot.get(&subject.cluster, Kind::Gateway, namespace, name)
}

/// The endpoint's domain name for the service with this domain name of its own, as the Gateway's status tells.
pub(super) fn name_for(gateway: &Value, domain: &str) -> Option<String> {
    let service = service_id(domain)?;
    let named = message(gateway.pointer("/status/conditions"))?.split(", ");
    let mut pairs = named.filter_map(|pair| pair.split_once(' '));
    pairs.find(|(one, _)| *one == service).map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Units of routes read it, perhaps what one of an older version wrote: rewording it is a change of protocol.
    #[test]
    fn the_message_that_tells_names_is_a_wire_format() {
        let message =
            "svc-0a1b2c3d4e5f60001 vpce-1-snsa-1.example, svc-0a1b2c3d4e5f60002 vpce-1-snsa-2.example";
        let conditions = json!([{"type": "Accepted", "message": "svc-0a1b2c3d4e5f60002 wrong"},
            {"type": "application-networking.k8s.aws/EndpointNames", "message": message}]);
        let gateway = json!({"status": {"conditions": conditions}});
        let of = |id: &str| {
            name_for(&gateway, &format!("r-default-{id}.7d67968.vpc-lattice-svcs.us-west-2.on.aws"))
        };
        assert_eq!(of("0a1b2c3d4e5f60002").as_deref(), Some("vpce-1-snsa-2.example"));
        assert_eq!(of("0a1b2c3d4e5f60003"), None);
        assert_eq!(name_for(&json!({}), "r-default-0a1b2c3d4e5f60002.example"), None);
        assert!(!are_news(Some(&conditions), Some(&conditions)) && are_news(Some(&conditions), None));
    }
}
