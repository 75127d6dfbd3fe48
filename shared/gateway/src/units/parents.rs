//! A route's parents that are ours.

use crate::attach::{Attached, Refusal, Taken, attach};
use crate::code::Code;
use crate::gateway::{self, Whose};
use crate::problem::Problem;
use crate::report::Condition;
use crate::route::{ParentRef, Route};
use crate::status;
use crate::view::View;
use crate::{conditions, reasons};
use serde_json::Value;
use trellis_lattice::ListenerProtocol;

/// A parent that is ours, and whether it takes the route.
pub(crate) struct Parent {
    pub(crate) reference: ParentRef,
    pub(crate) attached: Result<Taken, Condition>,
    /// The ARN of the Gateway's service network, where its status tells it.
    pub(crate) network: Option<String>,
}

impl Parent {
    /// The listeners that take the route.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = &Attached> {
        self.attached.iter().flat_map(|taken| &taken.attached)
    }

    /// Whether a listener of plain HTTP takes the route.
    pub(crate) fn has_plain(&self) -> bool {
        self.listeners().any(|one| one.listener.protocol == ListenerProtocol::Http)
    }

    /// Whether a listener with TLS does.
    pub(crate) fn has_secure(&self) -> bool {
        self.listeners().any(|one| one.listener.protocol != ListenerProtocol::Http)
    }
}

/// The parents that are ours, in order. Why some cannot be told is added to `unknown`.
pub(crate) fn parents(view: &View, route: &Route, object: &Value, unknown: &mut Vec<String>) -> Vec<Parent> {
    let mut parents = vec![];
    for reference in route.parents.iter().filter(|parent| parent.is_gateway) {
        let (whose, gateway) = gateway::find(view, &route.id.cluster, &reference.namespace, &reference.name);
        let attached = match (whose, gateway) {
            (Whose::Unknown(why), _) => {
                unknown.push(why);
                continue;
            }
            (Whose::Others, None) if has_entry_of_ours(object, reference, &route.id.namespace) => {
                let text = format!(
                    "Gateway {}/{} does not exist; create it or remove the reference",
                    reference.namespace, reference.name
                );
                let problem = Problem::new(Code::ParentNotFound, reference.path.clone(), text);
                Err(Condition::no_for(conditions::ACCEPTED, reasons::NO_MATCHING_PARENT, vec![problem]))
            }
            (Whose::Others, _) | (Whose::Ours, None) => continue,
            (Whose::Ours, Some(gateway)) => match attach_to(view, route, reference, gateway) {
                Ok(attached) => Ok(attached),
                Err(Refusal::Condition(refused)) => Err(refused),
                Err(Refusal::Unknown(why)) => {
                    unknown.push(why);
                    continue;
                }
            },
        };
        let network = gateway.and_then(status::network_told).map(str::to_owned);
        parents.push(Parent { reference: reference.clone(), attached, network });
    }
    parents
}

fn attach_to<'a>(
    view: &View<'a>,
    route: &Route,
    reference: &ParentRef,
    gateway: &'a Value,
) -> Result<Taken, Refusal> {
    // That nobody can read what its Gateway says is no refusal: the route keeps what it has.
    let judged = view.judged(&route.id.cluster, gateway).map_err(|problem| {
        let (namespace, name) = (&reference.namespace, &reference.name);
        Refusal::Unknown(format!("Gateway {namespace}/{name} cannot be read: {problem}"))
    })?;
    attach(view, route, reference, &judged)
}

/// Whether the route's status has an entry of ours for this reference.
fn has_entry_of_ours(object: &Value, reference: &ParentRef, namespace: &str) -> bool {
    let entries = object.pointer("/status/parents").and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| {
        let parent = entry.get("parentRef").unwrap_or(&Value::Null);
        status::is_ours(entry) && status::is_same_parent(parent, &reference.reference, namespace)
    })
}
